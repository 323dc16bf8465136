package client

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Who imports the client gets the standard library, the runtime of the generated code, and what that brings.
func TestDependencies(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const own = "github.com/sharelinks-dev/sharelinks/"
	want := []string{
		"github.com/apapsch/go-jsonmerge/v2",
		"github.com/google/uuid",
		"github.com/oapi-codegen/nullable",
		"github.com/oapi-codegen/runtime",
		"github.com/oapi-codegen/runtime/types",
		own + "client", own + "client/wire", own + "internal/redact",
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the client depends on\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A module of its own compiles the program of the documentation, without a network.
func TestConsumer(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // building changes go.mod and go.sum
	for name, path := range map[string]string{"main.go": "testdata/consumer/main.go", "go.mod": "testdata/consumer/go.mod", "go.sum": "../go.sum"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" {
			b = []byte(strings.Replace(string(b), "=> ../../..", "=> "+root, 1))
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", os.DevNull, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The program in doc.go is the one that is compiled.
func TestProgramOfTheDocumentation(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("testdata/consumer/main.go")
	if err != nil {
		t.Fatal(err)
	}
	indented := "\t" + strings.ReplaceAll(strings.TrimSpace(string(program)), "\n", "\n\t")
	if !strings.Contains(file.Doc.Text(), strings.ReplaceAll(indented, "\n\t\n", "\n\n")) {
		t.Error("doc.go and testdata/consumer/main.go have different programs")
	}
}

// Every exported function and method has an Example that runs, and there are no more exported names than were meant.
func TestEveryFunctionHasAnExample(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]bool{}
	var functions []string
	names := 0
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if strings.HasSuffix(path, "_test.go") {
					if suffix, ok := strings.CutPrefix(d.Name.Name, "Example"); ok && strings.Contains(commentsIn(file, d), "Output:") {
						examples[suffix] = true
					}
					continue
				}
				name := d.Name.Name
				if d.Recv == nil && ast.IsExported(name) {
					names++
				}
				if of := receiver(d); of != "" {
					name = of + "_" + name
				}
				if ast.IsExported(d.Name.Name) && ast.IsExported(name) {
					functions = append(functions, name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if strings.HasSuffix(path, "_test.go") {
						continue
					}
					switch s := spec.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() {
							names++
						}
					case *ast.ValueSpec:
						for _, n := range s.Names {
							if n.IsExported() {
								names++
							}
						}
					}
				}
			}
		}
	}
	for _, name := range functions {
		if !examples[name] {
			t.Errorf("%s has no Example with an Output", strings.ReplaceAll(name, "_", "."))
		}
	}
	t.Logf("%d exported names, %d functions and methods", names, len(functions))
	if names > 50 {
		t.Errorf("%d exported names: more than two screens", names)
	}
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	return of.(*ast.Ident).Name
}

func commentsIn(file *ast.File, d *ast.FuncDecl) string {
	var s strings.Builder
	for _, group := range file.Comments {
		if group.Pos() > d.Pos() && group.End() < d.End() {
			s.WriteString(group.Text())
		}
	}
	return s.String()
}

// The client's overlay begins with the server's: the generator takes only one.
func TestOverlays(t *testing.T) {
	t.Parallel()
	actions := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, text, ok := strings.Cut(string(b), "\nactions:\n")
		if !ok {
			t.Fatal(errors.New(path + " has no actions"))
		}
		return text
	}
	if !strings.HasPrefix(actions("wire/overlay.yaml"), actions("../api/overlay.yaml")) {
		t.Error("client/wire/overlay.yaml does not begin with the actions of api/overlay.yaml")
	}
}
