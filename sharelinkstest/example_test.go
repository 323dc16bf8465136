package sharelinkstest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

// exampleTest stands for the *testing.T that an example has not.
type exampleTest struct {
	recorder
}

func (e *exampleTest) Fatal(args ...any) { e.Fatalf("%s", fmt.Sprint(args...)) }

func (e *exampleTest) end() {
	for _, f := range e.cleanups {
		f()
	}
	for _, f := range e.failures {
		fmt.Println(f)
	}
}

func ExampleNewServer() {
	t, ctx := &exampleTest{}, context.Background()
	defer t.end()

	srv := sharelinkstest.NewServer(t)
	link, err := srv.Client().Create(ctx, client.CreateRequest{PersonaID: srv.AddPersona("Ada")})
	if err != nil {
		t.Fatal(err)
	}
	srv.Advance(8 * 24 * time.Hour)
	_, err = srv.Client().Open(ctx, link.Token)
	fmt.Println(errors.Is(err, client.ErrGone))

	// Output: true
}

func ExampleServer_Fail() {
	t, ctx := &exampleTest{}, context.Background()
	defer t.end()
	srv := sharelinkstest.NewServer(t)

	srv.Fail("createShareLink", sharelinkstest.Fault{Break: sharelinkstest.BreakReset})
	_, err := srv.Client().Create(ctx, client.CreateRequest{PersonaID: srv.AddPersona("Ada")})
	fmt.Println(err != nil)

	page, err := srv.Client().List(ctx, client.Filter{}) // the link is there: only the answer was lost
	fmt.Println(page.Meta.Total, err)

	// Output:
	// true
	// 1 <nil>
}
