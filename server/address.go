package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	maxHops = 32 // of X-Forwarded-For that are read
	maxHop  = 64 // bytes of one: more than an address, brackets and a port have
)

// addressOf is where a request comes from: the other end of its connection, or, while that is a trusted proxy, whom the
// proxy says that it had the request from. What comes through a Unix socket is from a proxy that was let in by the
// permissions of the file, and trusted; it has no address of its own. X-Forwarded-For is read from its end, where our own proxies write; what stands
// before the first address that is not trusted can be anybody's invention. The zero Addr is not known.
func (s *Server) addressOf(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	address := plain(from.Addr())
	trusted := s.trusts(address)
	forwarded := r.Header["X-Forwarded-For"]
	switch {
	case err != nil && cameThroughSocket(r):
		if trusted = true; len(forwarded) == 0 && s.strangers.isNew("") {
			s.logger.Warn("a request came through the Unix socket without X-Forwarded-For. Let the proxy send it: without it all visitors share one limit")
		}
	case err != nil:
		return netip.Addr{} // a handler mounted somewhere without a network
	case len(forwarded) > 0 && !trusted:
		s.warnOfForwarded(address)
		return address
	}
	left := maxHops
	for _, list := range slices.Backward(forwarded) {
		for more := true; more; left-- {
			var hop string
			if list, hop, more = cutLast(list); left == 0 || !trusted {
				return address
			}
			next, ok := parseHop(hop)
			if !ok {
				return address
			}
			address, trusted = next, s.trusts(next)
		}
	}
	return address
}

// trusts tells whether an address is that of a proxy whose word is taken.
func (s *Server) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(s.config.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// cutLast cuts the last item off a list with commas. There may be more before it.
func cutLast(list string) (before, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	return list[:max(i, 0)], strings.TrimSpace(list[i+1:]), i >= 0
}

// parseHop reads an address, with a port or without: some proxies write one.
func parseHop(hop string) (netip.Addr, bool) {
	if len(hop) > maxHop {
		return netip.Addr{}, false
	}
	if a, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return plain(a), true
	}
	a, err := netip.ParseAddrPort(hop)
	return plain(a.Addr()), err == nil
}

// maxStrangers bounds how many networks are kept, and so how many warnings strangers can cause.
const maxStrangers = 64

// strangers are the networks of peers that sent X-Forwarded-For and are not trusted.
type strangers struct {
	mu   sync.Mutex
	seen map[string]bool
}

// isNew tells whether a network is seen for the first time. Beyond maxStrangers none is.
func (s *strangers) isNew(network string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[network] || len(s.seen) == maxStrangers {
		return false
	}
	s.seen[network] = true
	return true
}

// warnOfForwarded tells the operator of a proxy that is not trusted: its visitors count as one. Or it was just a stranger.
func (s *Server) warnOfForwarded(peer netip.Addr) {
	if network := sharelink.CoarseAddress(peer); s.strangers.isNew(network) {
		s.logger.Warn("X-Forwarded-For is ignored: it came from an address that is not a trusted proxy. If that is your proxy, "+
			"set --trusted-proxies: without it all visitors behind it share one limit", "network", network)
	}
}

// plain is an address in the one form in which it is compared.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// network returns what is counted as one address: of IPv6 the /64, all of which one customer has.
func network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // zero for an address that is not known
	return p
}
