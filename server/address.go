package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressOf is where a request comes from: the other end of its connection, or, while that is a trusted proxy, whom the
// proxy says that it had the request from. X-Forwarded-For is read from its end, where our own proxies write; what stands
// before the first address that is not trusted can be anybody's invention. The zero Addr is not known.
func addressOf(r *http.Request, trusted []netip.Prefix) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a handler mounted somewhere without a network
	}
	address := plain(from.Addr())
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(address) }) {
			break
		}
		next, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break
		}
		address = next
	}
	return address
}

// parseHop reads an address, with a port or without: some proxies write one.
func parseHop(hop string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return plain(a), true
	}
	a, err := netip.ParseAddrPort(hop)
	return plain(a.Addr()), err == nil
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
