package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/spf13/cobra"

	sharelinks "github.com/sharelinks-dev/sharelinks"
)

func (p *program) spec() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "spec",
		Short: "Print the OpenAPI contract of the service",
		Long: `Spec prints the OpenAPI document that this binary holds its requests to, byte for byte as the
service gives it at /openapi.yaml.`,
		Example:           "  sharelinks spec > openapi.yaml",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			text := sharelinks.Spec()
			if asJSON {
				var err error
				if text, err = specJSON(); err != nil {
					return fmt.Errorf("write the contract as JSON: %w", err)
				}
			}
			if _, err := p.stdout.Write(text); err != nil {
				return fmt.Errorf("write the output: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON rather than YAML")
	return cmd
}

// specJSON is what the service gives at /openapi.json, indented.
func specJSON() ([]byte, error) {
	doc, err := openapi3.NewLoader().LoadFromData(sharelinks.Spec())
	if err != nil {
		return nil, err
	}
	text, err := doc.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
