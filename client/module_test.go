package client

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A program that imports the client gets the standard library, the runtime of the generated code, and what that
// imports.
func TestDependencies(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/sharelinks-dev/sharelinks/"
	want := []string{
		"github.com/apapsch/go-jsonmerge/v2",
		"github.com/google/uuid",
		"github.com/oapi-codegen/nullable",
		"github.com/oapi-codegen/runtime",
		"github.com/oapi-codegen/runtime/types",
		module + "api", module + "client", module + "client/wire", module + "internal/redact",
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the client depends on\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// parse returns the documentation of this package, with the examples.
func parse(t *testing.T) *doc.Package {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/sharelinks-dev/sharelinks/client")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The documentation shows the program in internal/consumer, which is compiled with the module.
func TestProgramOfTheDocumentation(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("internal/consumer/main.go")
	if err != nil {
		t.Fatal(err)
	}
	indented := "\t" + strings.ReplaceAll(strings.TrimSpace(string(program)), "\n", "\n\t")
	if !strings.Contains(parse(t).Doc, strings.ReplaceAll(indented, "\n\t\n", "\n\n")) {
		t.Error("doc.go does not show internal/consumer/main.go")
	}
}

// Every exported function and method has an Example that runs, and the exported names fit on two screens.
func TestExportedNames(t *testing.T) {
	t.Parallel()
	p := parse(t)
	functions, values, names := p.Funcs, slices.Concat(p.Consts, p.Vars), len(p.Types)
	for _, typ := range p.Types {
		functions = slices.Concat(functions, typ.Funcs, typ.Methods)
		values = slices.Concat(values, typ.Consts, typ.Vars)
	}
	for _, v := range values {
		names += len(v.Names)
	}
	for _, f := range functions {
		if f.Recv == "" {
			names++
		}
		if !slices.ContainsFunc(f.Examples, func(e *doc.Example) bool { return e.Output != "" }) {
			t.Errorf("%s %s has no Example with an Output", f.Recv, f.Name)
		}
	}
	if names > 51 {
		t.Errorf("%d exported names, want at most 51", names)
	}
	t.Logf("%d exported names, %d functions and methods", names, len(functions))
}
