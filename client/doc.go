// Package client manages share links to AI personas, at Anam's hosted API or at a server of your own that follows the
// same contract.
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
//		c, err := client.New() // the key is in ANAM_API_KEY; the URL of a server of your own is in ANAM_API_URL
//		if err != nil {
//			log.Fatal(err)
//		}
//		link, err := c.Create(context.Background(), client.CreateRequest{
//			PersonaID:      "00000000-0000-0000-0000-000000000000",
//			ExpiresInHours: client.Hours(24),
//			UsageLimit:     client.Unlimited(),
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		fmt.Println(client.URL(link))
//	}
//
// A field of a request that is left out is not sent. Hours, Uses and Origins send a value, Never and Unlimited send
// null, and new(true) or new(false) sets a field that is a pointer to a bool.
//
// Every error of a call is an *[Error]. errors.Is tells its kind, such as [ErrNotFound] or [ErrInvalid]. Failures that
// may pass are retried, see [Retry]; a create only if that cannot create a second link. The API key and tokens are
// never in an error or a log.
//
// Package api has the models and package wire a raw client for what is not here, both generated from the contract.
package client
