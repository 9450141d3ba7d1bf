package datasource

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

func TestHealthSaysOfEachAgentWhatItSeesOrWhyItDoesNot(t *testing.T) {
	shop := newShopAgent(time.Now(), "east-1")
	d := open(t, "east", shop.serve(t), "west", deadURL(t))
	health, err := d.CheckHealth(t.Context(), &backend.CheckHealthRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if health.Status != backend.HealthStatusOk {
		t.Errorf("status is %s though an agent answers", health.Status)
	}
	hits := shop.hits[0] + shop.hits[1]
	for _, part := range []string{
		"1 of 2 agents answer.",
		fmt.Sprintf("east (version v0.1.0 on east-1): processes: 1 watched, 1 refused; points firing: 1; hits: %d, of which 10 carried and %d counted so far.", hits, hits-10),
		"Shed to hold the cost of watching: shop 42-1: sched.latency: watching cost 3 %, the budget is 1 %.",
		"agent west (" + d.agents[1].url + "): does not answer",
	} {
		if !strings.Contains(health.Message, part) {
			t.Errorf("message lacks %q:\n%s", part, health.Message)
		}
	}
	var details query.AgentsAnswer
	if err := json.Unmarshal(health.JSONDetails, &details); err != nil {
		t.Fatal(err)
	}
	if len(details.Agents) != 2 || details.Agents[0].Accounting[0].Hits != hits || details.Agents[1].Error == "" {
		t.Errorf("details are %s", health.JSONDetails)
	}
}

func TestHealthSaysWhenAllProcessesAreRefused(t *testing.T) {
	refusing := query.AgentState{Name: "east", ProcessesRefused: 3}
	if line := healthLine(refusing); !strings.Contains(line, "Nothing will be seen before that is mended") {
		t.Errorf("the line of an agent that may watch nothing is %q", line)
	}
	refusing.ProcessesWatched = 1
	if line := healthLine(refusing); strings.Contains(line, "Nothing will be seen") {
		t.Errorf("the line of an agent that watches one is %q", line)
	}
}

func TestHealthSaysOfAFewProcessesWhatWasShed(t *testing.T) {
	storm := query.AgentState{Name: "east", Shed: []string{"a 1-1: x: y", "b 2-1: x: y", "c 3-1: x: y", "d 4-1: x: y", "e 5-1: x: y"}}
	if line := healthLine(storm); !strings.HasSuffix(line, "c 3-1: x: y; and of 2 more processes.") {
		t.Errorf("the line is %q", line)
	}
}

func TestHealthIsAnErrorWhenNoAgentAnswers(t *testing.T) {
	d := open(t, "east", deadURL(t), "west", garbageServers(t)["a web page"])
	health, err := d.CheckHealth(t.Context(), &backend.CheckHealthRequest{})
	if err != nil || health.Status != backend.HealthStatusError || !strings.Contains(health.Message, "0 of 2 agents answer") || !strings.Contains(health.Message, "is it a gotherm-agent?") {
		t.Errorf("health is %+v, %v", health, err)
	}
}
