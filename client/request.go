package client

import "github.com/oapi-codegen/nullable"

// Hours returns an ExpiresInHours: the link expires h hours from now, above 0 and at most 87600 (ten years), to the
// millisecond. The server checks the range.
func Hours(h float64) nullable.Nullable[float64] { return nullable.NewNullableWithValue(h) }

// Never returns an ExpiresInHours of null: the link does not expire.
func Never() nullable.Nullable[float64] { return nullable.NewNullNullable[float64]() }

// Uses returns a UsageLimit: the link can be opened n times, 1 to 2147483647. In an update this includes the times that
// it was opened before. The server checks the range.
func Uses(n int) nullable.Nullable[int] { return nullable.NewNullableWithValue(n) }

// Unlimited returns a UsageLimit of null: the link can be opened any number of times.
func Unlimited() nullable.Nullable[int] { return nullable.NewNullNullable[int]() }

// Origins returns AllowedOrigins: the origins that may embed the link, at most 50, each scheme://host[:port] with http
// or https. Without arguments it is an empty list: no origin may. The server checks the origins.
func Origins(origins ...string) *[]string {
	list := append([]string{}, origins...) // not nil: null is not a list
	return &list
}
