// The plugin process of the data source: Grafana starts it and speaks gRPC with it.
package main

import (
	"log"

	"github.com/gotherm/gotherm/pkg/datasource"
	sdk "github.com/grafana/grafana-plugin-sdk-go/backend/datasource"
)

func main() {
	if err := sdk.Manage("gotherm-runtime-datasource", datasource.New, sdk.ManageOpts{}); err != nil {
		log.Fatal(err)
	}
}
