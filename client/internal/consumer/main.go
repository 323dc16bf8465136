package main

import (
	"context"
	"fmt"
	"log"

	"github.com/sharelinks-dev/sharelinks/client"
)

func main() {
	c, err := client.New() // the key is in ANAM_API_KEY; the URL of a server of your own is in ANAM_API_URL
	if err != nil {
		log.Fatal(err)
	}
	link, err := c.Create(context.Background(), client.CreateRequest{
		PersonaID:      "00000000-0000-0000-0000-000000000000",
		ExpiresInHours: client.Hours(24),
		UsageLimit:     client.Unlimited(),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.URL(link))
}
