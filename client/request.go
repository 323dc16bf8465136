package client

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/oapi-codegen/nullable"

	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// What a field of a request says when it is not left out. Assign them; they are not to be changed.
var (
	Never     = nullable.NewNullNullable[float64]()  // for ExpiresInHours: the link does not expire
	Unlimited = nullable.NewNullNullable[int]()      // for UsageLimit: the link can be opened without limit
	Yes       = nullable.NewNullableWithValue(true)  // for Enabled, AllowAllOrigins, RemoveWatermark and IsPrimary
	No        = nullable.NewNullableWithValue(false) // for the same
)

// Hours says for ExpiresInHours that the link expires so many hours from now, above 0 and at most 87600 (ten years).
// Fractions are kept to the millisecond.
func Hours(h float64) nullable.Nullable[float64] { return nullable.NewNullableWithValue(h) }

// Uses says for UsageLimit how many times the link can be opened, 1 to 2147483647. In an update those that were counted
// are included.
func Uses(n int) nullable.Nullable[int] { return nullable.NewNullableWithValue(n) }

// Origins says for AllowedOrigins which origins may embed the link, at most 50, each scheme://host[:port] with http or
// https. With none, no origin may.
func Origins(origins ...string) nullable.Nullable[[]string] {
	return nullable.NewNullableWithValue(append([]string{}, origins...))
}

// Filter says which links to list. Its zero value is all of them.
type Filter struct {
	PersonaID string // only the links to this persona, a UUID; "" is any
	Search    string // part of the persona's name, a token or the start of one, or an id; at most 200 characters; "" is any
	Page      int    // from 1; 0 is 1
	PerPage   int    // 1 to 100; 0 is the server's default, 20, with List, and 100 with All
}

// The rules below repeat the contract in the server's words. A test sends what they refuse to the server and compares.
const (
	aUUID      = "must be a UUID such as 00000000-0000-0000-0000-000000000000"
	maxHours   = 87600
	maxNumber  = 1<<31 - 1
	maxOrigins = 50
	maxPerPage = 100
	maxSearch  = 200
	maxKey     = 255
)

func checkCreate(r CreateRequest) []Fault {
	var faults []Fault
	if !isUUID(r.PersonaID) {
		faults = append(faults, bodyFault("/personaId", aUUID+", not this text"))
	}
	return append(faults, checkLimits(r.ExpiresInHours, r.UsageLimit, r.AllowedOrigins)...)
}

func checkUpdate(r UpdateRequest) []Fault {
	return checkLimits(r.ExpiresInHours, r.UsageLimit, r.AllowedOrigins)
}

func checkLimits(hours nullable.Nullable[float64], uses nullable.Nullable[int], origins nullable.Nullable[[]string]) []Fault {
	var faults []Fault
	if h, ok := hours[true]; ok && !(h > 0 && h <= maxHours) {
		faults = append(faults, bodyFault("/expiresInHours",
			fmt.Sprintf("must be a number above 0 and at most %d, or null, not %s", maxHours, number(h))))
	}
	if n, ok := uses[true]; ok && (n < 1 || n > maxNumber) {
		faults = append(faults, bodyFault("/usageLimit",
			fmt.Sprintf("must be a whole number from 1 to %d, or null, not %s", maxNumber, number(float64(n)))))
	}
	if list := origins[true]; len(list) > maxOrigins {
		faults = append(faults, bodyFault("/allowedOrigins",
			fmt.Sprintf("must be a list of at most %d items, not a list of %d", maxOrigins, len(list))))
	}
	return faults
}

func checkID(id string) []Fault {
	if isUUID(id) {
		return nil
	}
	return []Fault{paramFault(wire.FaultInPath, "id", aUUID)}
}

func checkFilter(f Filter) []Fault {
	var faults []Fault
	if f.Page < 0 || f.Page > maxNumber {
		faults = append(faults, paramFault(wire.FaultInQuery, "page", fmt.Sprintf("must be a whole number from 1 to %d", maxNumber)))
	}
	if f.PerPage < 0 || f.PerPage > maxPerPage {
		faults = append(faults, paramFault(wire.FaultInQuery, "perPage", fmt.Sprintf("must be a whole number from 1 to %d", maxPerPage)))
	}
	if f.PersonaID != "" && !isUUID(f.PersonaID) {
		faults = append(faults, paramFault(wire.FaultInQuery, "personaId", aUUID))
	}
	if utf8.RuneCountInString(f.Search) > maxSearch {
		faults = append(faults, paramFault(wire.FaultInQuery, "search", fmt.Sprintf("must be text of 0 to %d characters", maxSearch)))
	}
	return faults
}

func checkIdempotencyKey(key string) []Fault {
	if len(key) >= 1 && len(key) <= maxKey && !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil
	}
	return []Fault{paramFault(wire.FaultInHeader, keyHeader, fmt.Sprintf("must be 1 to %d visible ASCII characters", maxKey))}
}

// isUUID accepts the one form that RFC 9562 shows, in either case.
func isUUID(s string) bool {
	if len(s) != len("00000000-0000-0000-0000-000000000000") {
		return false
	}
	for i, r := range s {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen != (r == '-') ||
			!hyphen && !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return true
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func bodyFault(pointer, detail string) Fault {
	return Fault{In: wire.FaultInBody, Pointer: &pointer, Detail: detail}
}

func paramFault(in wire.FaultIn, name, detail string) Fault {
	return Fault{In: in, Name: &name, Detail: detail}
}

// summary says all faults in one line.
func summary(faults []Fault) string {
	texts := make([]string, len(faults))
	for i, f := range faults {
		place := f.Name
		if f.Pointer != nil {
			place = f.Pointer
		}
		texts[i] = *place + ": " + f.Detail
	}
	if len(faults) > 1 {
		return fmt.Sprintf("the request has %d faults: %s", len(faults), strings.Join(texts, "; "))
	}
	return texts[0]
}
