package sharelink

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	gonanoid "github.com/matoous/go-nanoid/v2"
)

// alphabet has 58 letters and digits; those that look alike (0 O, I l) are left out. 21 of them carry 123 bits.
const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

const (
	// TokenPrefix is what every token begins with.
	TokenPrefix  = "sh_"
	tokenLetters = 21
	// MaxToken is the longest text, in bytes, that is looked up as a token. Ours are shorter.
	MaxToken = 64
)

// NewToken returns a new share link token from crypto/rand, such as sh_2kL9pQxYzR4vN8mBwHfJc.
func NewToken() string { return TokenPrefix + gonanoid.MustGenerate(alphabet, tokenLetters) }

// maxTail is how much may stand behind a token, in bytes.
const maxTail = 32

// TrimToken returns the token that a text begins with if it has something behind it that is none of its own: the full stop of
// the sentence that a link ended, a bracket, a slash, a blank, in any script. ok is false for a token with nothing behind it,
// and for any other text.
func TrimToken(s string) (token string, ok bool) {
	const size = len(TokenPrefix) + tokenLetters
	if len(s) <= size || len(s) > size+maxTail || !strings.HasPrefix(s, TokenPrefix) {
		return "", false
	}
	token = s[:size]
	return token, strings.Trim(token[len(TokenPrefix):], alphabet) == "" && !strings.ContainsFunc(s[size:], func(r rune) bool {
		return !unicode.In(r, unicode.Punct, unicode.Symbol, unicode.Space, unicode.White_Space, unicode.Mark, unicode.Cf) || r == utf8.RuneError
	})
}

// NewSecret returns a new API key from crypto/rand: ak_ and 40 letters, 234 bits.
func NewSecret() string { return "ak_" + gonanoid.MustGenerate(alphabet, 40) }

// VisiblePrefix returns the part of an API key that may be shown to recognise it: ak_ and 8 letters, 47 bits. A shorter
// text is returned whole.
func VisiblePrefix(secret string) string { return secret[:min(len(secret), len("ak_")+8)] }

// Hash is what is kept of an API key: its SHA-256. A key has too many bits to guess, so no salt and no slow hash is needed.
type Hash [sha256.Size]byte

// HashSecret returns the hash of an API key.
func HashSecret(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// NewID returns a UUIDv7 (RFC 9562) of the instant, to the millisecond, with 74 bits from crypto/rand. The instant is the
// caller's, not the wall clock's, so that an id and a CreatedAt made from one reading of the clock sort alike.
func NewID(at time.Time) uuid.UUID { return NewIDFrom(rand.Reader, at) }

// NewIDFrom returns a UUIDv7 as NewID does, with its random bits from a reader that never fails.
func NewIDFrom(random io.Reader, at time.Time) uuid.UUID {
	var id uuid.UUID
	_, _ = random.Read(id[:])
	first := FirstID(at)
	copy(id[:6], first[:6])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// FirstID returns the smallest UUIDv7 of an instant: below it are the ids of all instants before.
func FirstID(at time.Time) uuid.UUID {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(at.UnixMilli(), 0)))
	var id uuid.UUID
	copy(id[:6], ms[2:])
	id[6], id[8] = 0x70, 0x80
	return id
}
