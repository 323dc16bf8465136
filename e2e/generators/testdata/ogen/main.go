// A program that a stranger could write with the client that ogen generates.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/e2e/generators/links"
)

var cara = uuid.MustParse("00000000-0000-0000-0000-000000000000")

// key is an API key. The generated client asks it for the credential of each request.
type key string

func (k key) BearerAuth(context.Context, links.OperationName) (links.BearerAuth, error) {
	return links.BearerAuth{Token: string(k)}, nil
}

func main() {
	ctx := context.Background()
	client, err := links.NewClient(os.Getenv("ANAM_API_URL"), key(os.Getenv("ANAM_API_KEY")))
	check(err == nil, err)

	create := func(request links.CreateShareLinkRequest) links.ShareLink {
		request.PersonaId = cara
		answer, err := client.CreateShareLink(ctx, &request, links.CreateShareLinkParams{})
		created, ok := answer.(*links.ShareLinkHeaders)
		check(ok, "create", err, answer)
		return created.Response
	}

	// null is not the same as a field that is left out.
	var unlimited links.CreateShareLinkRequest
	unlimited.Type.SetTo(links.ShareLinkTypeORBEMBED)
	unlimited.ExpiresInHours.SetToNull()
	unlimited.UsageLimit.SetToNull()
	link := create(unlimited)
	check(link.Type == links.ShareLinkTypeORBEMBED && link.ExpiresAt.Null && link.UsageLimit.Null, "create without limits", link)

	link = create(links.CreateShareLinkRequest{})
	check(link.Type == links.ShareLinkTypeLINK && link.Enabled && !link.IsPrimary && !link.AllowAllOrigins &&
		!link.RemoveWatermark && len(link.AllowedOrigins) == 0, "create with defaults", link)
	check(link.UsageLimit.Value == 10, "create with the default usage limit", link)
	check(link.ExpiresAt.Value.Sub(link.CreatedAt) == 168*time.Hour, "create with the default lifetime", link)

	for _, hours := range []float64{87599.9, 0.5} { // the first is another number in 32 bits
		want := time.Duration(hours*3600) * time.Second
		link = create(links.CreateShareLinkRequest{ExpiresInHours: links.NewOptNilFloat64(hours)})
		check(link.ExpiresAt.Value.Sub(link.CreatedAt) == want, "create for", hours, link)
	}

	found, err := client.GetShareLink(ctx, links.GetShareLinkParams{ID: link.ID})
	got, ok := found.(*links.PersonaShareLinkHeaders)
	check(ok && got.Response.Token == link.Token && got.Response.PersonaName == "Cara", "get", err, found)

	listed, err := client.ListShareLinks(ctx, links.ListShareLinksParams{PerPage: links.NewOptInt(3)})
	page, ok := listed.(*links.ShareLinkPageHeaders)
	check(ok && len(page.Response.Data) == 3 && page.Response.Meta.Total == 4, "list", err, listed)
	check(page.Response.Meta.Prev.Null && page.Response.Meta.Next.Value == 2, "list", page.Response)

	known, err := client.ListPersonas(ctx, links.ListPersonasParams{Search: links.NewOptString("cara")})
	personas, ok := known.(*links.PersonaPageHeaders)
	check(ok && len(personas.Response.Data) == 1 && personas.Response.Data[0].ID == cara, "personas", err, known)

	looked, err := client.PreviewShareLink(ctx, links.PreviewShareLinkParams{Token: link.Token})
	preview, ok := looked.(*links.SharePreviewHeaders)
	check(ok && preview.Response.Status == links.ShareLinkStatusACTIVE, "preview", err, looked)

	opened, err := client.OpenShareLink(ctx, &links.OpenShareLinkReq{}, links.OpenShareLinkParams{Token: link.Token})
	session, ok := opened.(*links.ShareSessionHeaders)
	check(ok && session.Response.SessionToken != "" && session.Response.PersonaId == cara, "open", err, opened)

	change := links.UpdateShareLinkRequest{Enabled: links.NewOptBool(false)}
	change.UsageLimit.SetToNull()
	changed, err := client.UpdateShareLink(ctx, &change, links.UpdateShareLinkParams{ID: link.ID})
	updated, ok := changed.(*links.UpdateShareLinkOKHeaders)
	check(ok && !updated.Response.Enabled && updated.Response.UsageLimit.Null, "update", err, changed)
	check(updated.Response.UsageCount == 1 && !updated.Response.ExpiresAt.Null, "update changes nothing else", updated.Response)

	opened, err = client.OpenShareLink(ctx, &links.OpenShareLinkReq{}, links.OpenShareLinkParams{Token: link.Token})
	_, ok = opened.(*links.ShareLinkGoneHeaders)
	check(ok, "open a disabled link", err, opened)

	history, err := client.ListShareLinkVisits(ctx, links.ListShareLinkVisitsParams{ID: link.ID})
	visits, ok := history.(*links.VisitPageHeaders)
	check(ok && len(visits.Response.Data) == 2, "visits", err, history)
	check(visits.Response.Data[0].Outcome == links.VisitOutcomeDISABLED && visits.Response.Data[0].Origin.Null &&
		visits.Response.Data[1].Outcome == links.VisitOutcomeOPENED, "visits", visits.Response)

	deleted, err := client.DeleteShareLink(ctx, links.DeleteShareLinkParams{ID: link.ID})
	said, ok := deleted.(*links.DeletedShareLinkHeaders)
	check(ok && said.Response.Message != "", "delete", err, deleted)
	found, err = client.GetShareLink(ctx, links.GetShareLinkParams{ID: link.ID})
	_, ok = found.(*links.NotFoundHeaders)
	check(ok, "get a deleted link", err, found)

	// A refused request lists everything that is wrong with it.
	var faulty links.CreateShareLinkRequest
	faulty.PersonaId = cara
	faulty.ExpiresInHours.SetTo(-1)
	faulty.UsageLimit.SetTo(0)
	answer, err := client.CreateShareLink(ctx, &faulty, links.CreateShareLinkParams{})
	refused, ok := answer.(*links.InvalidRequestHeaders)
	check(ok, "create with faults", err, answer)
	at := map[string]links.ViolationIn{}
	for _, violation := range refused.Response.Errors {
		at[violation.Pointer.Value] = violation.In
	}
	check(len(at) == 2 && at["/expiresInHours"] == links.ViolationInBody && at["/usageLimit"] == links.ViolationInBody,
		"create with faults", at)
	hosted(ctx)
	fmt.Println("all is well")
}

// hosted calls Anam's API, which sends no url and no headers of ours, and errors of another kind.
func hosted(ctx context.Context) {
	client, err := links.NewClient(os.Getenv("HOSTED_URL"), key(os.Getenv("ANAM_API_KEY")))
	check(err == nil, err)
	answer, err := client.CreateShareLink(ctx, &links.CreateShareLinkRequest{PersonaId: cara}, links.CreateShareLinkParams{})
	created, ok := answer.(*links.ShareLinkHeaders)
	check(ok, "create at Anam", err, answer)
	link := created.Response
	check(link.Token == "V1StGXR8_Z5jdHi6B-myT" && !link.URL.Set && link.UsageLimit.Value == 10, "create at Anam", link)
	check(link.Type == links.ShareLinkTypePLAYEREMBED && link.CreatedAt.Nanosecond() == 520_000_000, "create at Anam", link)

	listed, err := client.ListShareLinks(ctx, links.ListShareLinksParams{})
	page, ok := listed.(*links.ShareLinkPageHeaders)
	check(ok && page.Response.Data[0].OrganizationId == "Uakgb_J5m9g-0JDMbcJqL", "list at Anam", err, listed)
	known, err := client.ListPersonas(ctx, links.ListPersonasParams{})
	personas, ok := known.(*links.PersonaPageHeaders)
	check(ok && personas.Response.Data[0].Name == "Cara", "personas at Anam", err, known)
	found, err := client.GetShareLink(ctx, links.GetShareLinkParams{ID: link.ID})
	got, ok := found.(*links.PersonaShareLinkHeaders)
	check(ok && got.Response.PersonaName == "Cara" && got.Response.Type == link.Type, "get at Anam", err, found)
	var change links.UpdateShareLinkRequest
	change.UsageLimit.SetToNull()
	changed, err := client.UpdateShareLink(ctx, &change, links.UpdateShareLinkParams{ID: link.ID})
	updated, ok := changed.(*links.UpdateShareLinkOKHeaders)
	check(ok && updated.Response.UsageLimit.Null, "update at Anam", err, changed)
	deleted, err := client.DeleteShareLink(ctx, links.DeleteShareLinkParams{ID: link.ID})
	said, ok := deleted.(*links.DeletedShareLinkHeaders)
	check(ok && said.Response.Message != "", "delete at Anam", err, deleted)

	// An error is not a problem. It is an error in Go, too.
	found, err = client.GetShareLink(ctx, links.GetShareLinkParams{ID: cara})
	check(found == nil && err != nil && strings.Contains(err.Error(), "application/json"), "get nothing at Anam", err, found)
}

// check ends the program unless what should be so is so.
func check(ok bool, about ...any) {
	if !ok {
		fmt.Fprintln(os.Stderr, about...)
		os.Exit(1)
	}
}
