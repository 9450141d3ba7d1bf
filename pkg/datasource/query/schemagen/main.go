// Command schemagen writes the JSON schema of the query model, the settings and
// the resource answers to standard output. The front end's types are made from
// it, so Go holds the one definition. Run it in the root of the repository:
//
//	go run ./pkg/datasource/query/schemagen
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/invopop/jsonschema"
)

// models are the types that cross between back end and front end; each with
// all that it holds becomes a definition of the schema.
type models struct {
	Query     query.Query           `json:"query"`
	Settings  query.Settings        `json:"settings"`
	Values    query.ValuesAnswer    `json:"values"`
	Points    query.PointsAnswer    `json:"points"`
	Processes query.ProcessesAnswer `json:"processes"`
	Agents    query.AgentsAnswer    `json:"agents"`
	Profiles  query.ProfilesAnswer  `json:"profiles"`
}

func main() {
	log.SetFlags(0)
	reflector := jsonschema.Reflector{Anonymous: true, ExpandedStruct: true}
	// Comments become the descriptions, and those the doc comments in TypeScript.
	if err := reflector.AddGoComments("github.com/gotherm/gotherm", "./pkg/datasource/query"); err != nil {
		log.Fatalf("read comments of the query model, in the root of the repository: %v", err)
	}
	schema := reflector.Reflect(&models{})
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(schema); err != nil {
		log.Fatalf("write schema: %v", err)
	}
}
