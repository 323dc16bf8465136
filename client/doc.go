// Package client manages share links to AI personas: those of Anam's hosted API, or of a server of your own that speaks
// the same contract.
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"log"
//
//		"github.com/sharelinks-dev/sharelinks/client"
//	)
//
//	func main() {
//		c, err := client.New() // with the key in ANAM_API_KEY; ANAM_API_URL is for a server of your own
//		if err != nil {
//			log.Fatal(err)
//		}
//		link, err := c.Create(context.Background(), client.CreateRequest{
//			PersonaID:      "00000000-0000-0000-0000-000000000000",
//			ExpiresInHours: client.Hours(24),
//			UsageLimit:     client.Unlimited,
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		fmt.Println(client.URL(link))
//	}
//
// A field of a request that is left out is not sent. Never and Unlimited send null, Hours, Uses, Origins, Yes and No a
// value.
//
// Every error of a call is an *[Error], and errors.Is tells its kind: ErrNotFound, ErrInvalid and so on. What failed for a
// moment is repeated, see [Retry]; a create only where that cannot make a second link. Neither the API key nor a token is
// ever in an error or a log.
//
// The models, and a raw client for what is not here, are those of package wire, generated from the contract.
package client
