// A program that a stranger could write with the client that oapi-codegen generates in its default configuration.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/sharelinks-dev/sharelinks/e2e/generators/links"
)

var cara = uuid.MustParse("00000000-0000-0000-0000-000000000000")

func main() {
	ctx := context.Background()
	client := dial(os.Getenv("ANAM_API_URL"))

	// null is not the same as a field that is left out.
	orb := links.OrbEmbed
	created, err := client.CreateShareLinkWithResponse(ctx, nil, links.CreateShareLinkRequest{
		PersonaId:      cara,
		Type:           &orb,
		ExpiresInHours: nullable.NewNullNullable[float64](),
		UsageLimit:     nullable.NewNullNullable[int](),
	})
	check(err == nil && created.JSON201 != nil, "create without limits", err, created)
	link := created.JSON201
	check(link.Type == links.OrbEmbed && link.ExpiresAt == nil && link.UsageLimit == nil, "create without limits", *link)

	created, err = client.CreateShareLinkWithResponse(ctx, nil, links.CreateShareLinkRequest{PersonaId: cara})
	check(err == nil && created.JSON201 != nil, "create with defaults", err, created)
	link = created.JSON201
	check(link.Type == links.Link && link.Enabled && !link.IsPrimary && !link.AllowAllOrigins && !link.RemoveWatermark &&
		len(link.AllowedOrigins) == 0, "create with defaults", *link)
	check(link.UsageLimit != nil && *link.UsageLimit == 10, "create with the default usage limit", *link)
	check(link.ExpiresAt != nil && link.ExpiresAt.Sub(link.CreatedAt) == 168*time.Hour, "create with the default lifetime", *link)

	for _, hours := range []float64{87599.9, 0.5} { // the first is another number in 32 bits
		want := time.Duration(hours*3600) * time.Second
		created, err = client.CreateShareLinkWithResponse(ctx, nil, links.CreateShareLinkRequest{
			PersonaId:      cara,
			ExpiresInHours: nullable.NewNullableWithValue(hours),
		})
		check(err == nil && created.JSON201 != nil, "create for", hours, err, created)
		link = created.JSON201
		check(link.ExpiresAt != nil && link.ExpiresAt.Sub(link.CreatedAt) == want, "create for", hours, *link)
	}

	got, err := client.GetShareLinkWithResponse(ctx, link.Id)
	check(err == nil && got.JSON200 != nil, "get", err, got)
	check(got.JSON200.Token == link.Token && got.JSON200.PersonaName == "Cara", "get", *got.JSON200)

	perPage := 3
	page, err := client.ListShareLinksWithResponse(ctx, &links.ListShareLinksParams{PerPage: &perPage})
	check(err == nil && page.JSON200 != nil, "list", err, page)
	check(len(page.JSON200.Data) == 3 && page.JSON200.Meta.Total == 4, "list", *page.JSON200)
	check(page.JSON200.Meta.Prev == nil && page.JSON200.Meta.Next != nil && *page.JSON200.Meta.Next == 2, "list", *page.JSON200)

	name := "cara"
	personas, err := client.ListPersonasWithResponse(ctx, &links.ListPersonasParams{Search: &name})
	check(err == nil && personas.JSON200 != nil, "personas", err, personas)
	check(len(personas.JSON200.Data) == 1 && personas.JSON200.Data[0].Id == cara && personas.JSON200.Meta.Total == 1, "personas", *personas.JSON200)

	preview, err := client.PreviewShareLinkWithResponse(ctx, link.Token)
	check(err == nil && preview.JSON200 != nil, "preview", err, preview)
	check(preview.JSON200.Status == links.ShareLinkStatusActive, "preview", *preview.JSON200)

	opened, err := client.OpenShareLinkWithResponse(ctx, link.Token, links.OpenShareLinkJSONRequestBody{})
	check(err == nil && opened.JSON201 != nil, "open", err, opened)
	check(opened.JSON201.SessionToken != "" && opened.JSON201.PersonaId == cara, "open", *opened.JSON201)

	enabled := false
	updated, err := client.UpdateShareLinkWithResponse(ctx, link.Id, links.UpdateShareLinkRequest{
		Enabled:    &enabled,
		UsageLimit: nullable.NewNullNullable[int](),
	})
	check(err == nil && updated.JSON200 != nil, "update", err, updated)
	check(!updated.JSON200.Enabled && updated.JSON200.UsageLimit == nil, "update", *updated.JSON200)
	check(updated.JSON200.UsageCount == 1 && updated.JSON200.ExpiresAt != nil, "update changes nothing else", *updated.JSON200)

	opened, err = client.OpenShareLinkWithResponse(ctx, link.Token, links.OpenShareLinkJSONRequestBody{})
	check(err == nil && opened.ApplicationproblemJSON410 != nil, "open a disabled link", err, opened)

	visits, err := client.ListShareLinkVisitsWithResponse(ctx, link.Id, nil)
	check(err == nil && visits.JSON200 != nil && len(visits.JSON200.Data) == 2, "visits", err, visits)
	check(visits.JSON200.Data[0].Outcome == links.VisitOutcomeDisabled && visits.JSON200.Data[0].Origin == nil &&
		visits.JSON200.Data[1].Outcome == links.VisitOutcomeOpened, "visits", *visits.JSON200)

	deleted, err := client.DeleteShareLinkWithResponse(ctx, link.Id)
	check(err == nil && deleted.JSON200 != nil && deleted.JSON200.Message != "", "delete", err, deleted)
	got, err = client.GetShareLinkWithResponse(ctx, link.Id)
	check(err == nil && got.ApplicationproblemJSON404 != nil, "get a deleted link", err, got)

	// A refused request lists everything that is wrong with it.
	refused, err := client.CreateShareLinkWithResponse(ctx, nil, links.CreateShareLinkRequest{
		PersonaId:      cara,
		ExpiresInHours: nullable.NewNullableWithValue(-1.0),
		UsageLimit:     nullable.NewNullableWithValue(0),
	})
	check(err == nil && refused.ApplicationproblemJSON400 != nil, "create with faults", err, refused)
	at := map[string]links.ViolationIn{}
	for _, violation := range *refused.ApplicationproblemJSON400.Errors {
		at[*violation.Pointer] = violation.In
	}
	check(len(at) == 2 && at["/expiresInHours"] == links.Body && at["/usageLimit"] == links.Body, "create with faults", at)
	hosted(ctx, dial(os.Getenv("HOSTED_URL")))
	fmt.Println("all is well")
}

// dial returns a client of the server at this URL.
func dial(url string) *links.ClientWithResponses {
	client, err := links.NewClientWithResponses(url, links.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("ANAM_API_KEY"))
		return nil
	}))
	check(err == nil, err)
	return client
}

// hosted calls Anam's API, which sends no url and no headers of ours, and errors of another kind.
func hosted(ctx context.Context, client *links.ClientWithResponses) {
	created, err := client.CreateShareLinkWithResponse(ctx, nil, links.CreateShareLinkRequest{PersonaId: cara})
	check(err == nil && created.JSON201 != nil, "create at Anam", err, created)
	link := created.JSON201
	check(link.Token == "V1StGXR8_Z5jdHi6B-myT" && link.Url == nil && *link.UsageLimit == 10, "create at Anam", *link)
	check(link.Type == links.PlayerEmbed && link.CreatedAt.Nanosecond() == 520_000_000, "create at Anam", *link)

	page, err := client.ListShareLinksWithResponse(ctx, nil)
	check(err == nil && page.JSON200 != nil && page.JSON200.Data[0].OrganizationId == "Uakgb_J5m9g-0JDMbcJqL", "list at Anam", err, page)
	personas, err := client.ListPersonasWithResponse(ctx, nil)
	check(err == nil && personas.JSON200 != nil && personas.JSON200.Data[0].Name == "Cara", "personas at Anam", err, personas)
	got, err := client.GetShareLinkWithResponse(ctx, link.Id)
	check(err == nil && got.JSON200 != nil && got.JSON200.PersonaName == "Cara", "get at Anam", err, got)
	updated, err := client.UpdateShareLinkWithResponse(ctx, link.Id, links.UpdateShareLinkRequest{UsageLimit: nullable.NewNullNullable[int]()})
	check(err == nil && updated.JSON200 != nil && updated.JSON200.UsageLimit == nil, "update at Anam", err, updated)
	deleted, err := client.DeleteShareLinkWithResponse(ctx, link.Id)
	check(err == nil && deleted.JSON200 != nil && deleted.JSON200.Message != "", "delete at Anam", err, deleted)

	// An error is not a problem: there is the status, and the body as it came.
	absent, err := client.GetShareLinkWithResponse(ctx, cara)
	check(err == nil && absent.StatusCode() == 404 && absent.JSON200 == nil, "get nothing at Anam", err, absent)
	check(strings.Contains(string(absent.Body), `"message":"Share link not found"`), "get nothing at Anam", string(absent.Body))
}

// check ends the program unless what should be so is so.
func check(ok bool, about ...any) {
	if !ok {
		fmt.Fprintln(os.Stderr, about...)
		os.Exit(1)
	}
}
