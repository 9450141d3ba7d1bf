// Package provisioning holds what a Grafana is given to show heat: the data
// source, dashboards and alert rules. These tests hold them against what the
// rest of the repository says there is.
package provisioning

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/heat"
)

const sourceUID = "gotherm"

// pluginID returns the id in a plugin.json.
func pluginID(t *testing.T, path string) string {
	t.Helper()
	var manifest struct {
		ID string `json:"id"`
	}
	readJSON(t, path, &manifest)
	return manifest.ID
}

func readJSON(t *testing.T, path string, value any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// readYAML decodes a file strictly: a key that value has no field for is an error.
func readYAML(t *testing.T, path string, value any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// loosely decodes the part of a YAML file that value has fields for.
func loosely(t *testing.T, path string, value any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// strict decodes what YAML or JSON decoded loosely into a type of ours, and
// refuses what the type does not have.
func strict(loose, value any) error {
	content, err := json.Marshal(loose)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	return decoder.Decode(value)
}

type dataSourceRef struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type dashboard struct {
	UID         string `json:"uid"`
	Title       string `json:"title"`
	Panels      []panel
	Annotations struct {
		List []struct {
			Name       string         `json:"name"`
			BuiltIn    int            `json:"builtIn"`
			Enable     bool           `json:"enable"`
			Datasource dataSourceRef  `json:"datasource"`
			Target     map[string]any `json:"target"`
		} `json:"list"`
	} `json:"annotations"`
	Templating struct {
		List []struct {
			Name       string        `json:"name"`
			Type       string        `json:"type"`
			IncludeAll bool          `json:"includeAll"`
			AllValue   string        `json:"allValue"`
			Datasource dataSourceRef `json:"datasource"`
			Query      variable      `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

// variable is what the variable editor of the data source makes.
type variable struct {
	RefID     string          `json:"refId"`
	Dimension string          `json:"dimension"`
	POM       string          `json:"pom"`
	Matchers  []query.Matcher `json:"matchers"`
}

// UnmarshalJSON leaves the query of a text box, which is its text, out.
func (v *variable) UnmarshalJSON(content []byte) error {
	if bytes.HasPrefix(content, []byte(`"`)) {
		return nil
	}
	type fields variable
	return json.Unmarshal(content, (*fields)(v))
}

type panel struct {
	ID          int64          `json:"id"`
	Type        string         `json:"type"`
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Datasource  *dataSourceRef `json:"datasource"`
	GridPos     struct {
		X, Y, W, H int
	} `json:"gridPos"`
	Targets []map[string]any `json:"targets"`
	Panels  []panel          `json:"panels"`
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	paths, err := filepath.Glob("dashboards/*.json")
	if err != nil || len(paths) < 2 {
		t.Fatalf("found dashboards %v, %v, want two or more", paths, err)
	}
	all := map[string]dashboard{}
	for _, path := range paths {
		var d dashboard
		readJSON(t, path, &d)
		all[path] = d
	}
	return all
}

// ofGrafana are the fields of a query that Grafana itself gives a meaning.
var ofGrafana = []string{"refId", "datasource", "hide", "intervalMs", "maxDataPoints"}

// checkQuery says what is wrong with a query as a panel or rule has it.
func checkQuery(model map[string]any) error {
	own := maps.Clone(model)
	for _, field := range ofGrafana {
		delete(own, field)
	}
	var q query.Query
	if err := strict(own, &q); err != nil {
		return err
	}
	if !slices.Contains(query.Kinds, q.Kind) {
		return fmt.Errorf("kind is %q, must be of %v", q.Kind, query.Kinds)
	}
	if q.Profile != nil {
		// Heat over time is of what agents have collected of processes; what is collected now is of a target.
		if collected := q.Kind == query.KindProfileHeat; q.POM != "" || collected != (q.Profile.Target == "") {
			return fmt.Errorf("a %s query has pom %q and target %q, must have a target only, or none for heat over time", q.Kind, q.POM, q.Profile.Target)
		}
		return nil
	}
	if q.Kind == query.KindReleases || q.Kind == query.KindProcesses {
		if q.POM != "" {
			return fmt.Errorf("a %s query has pom %s", q.Kind, q.POM)
		}
		return nil
	}
	if (q.Kind == query.KindSeries) != (len(q.Statistics) > 0) {
		return fmt.Errorf("a %s query has statistics %v", q.Kind, q.Statistics)
	}
	if gauge, err := probe.GaugeOf(q.POM); err == nil {
		return checkGauge(q, gauge)
	}
	number, err := probe.PointNumber(q.POM)
	if err != nil {
		return err
	}
	point := probe.Catalogue[number]
	for _, dimension := range q.GroupBy {
		if !slices.Contains(point.Dimensions, dimension) {
			return fmt.Errorf("groupBy has %s, %s has %v", dimension, q.POM, point.Dimensions)
		}
	}
	for _, m := range q.Matchers {
		if !slices.Contains(point.Dimensions, m.Dimension) {
			return fmt.Errorf("a matcher has %s, %s has %v", m.Dimension, q.POM, point.Dimensions)
		}
		if len(m.Values) == 0 {
			return fmt.Errorf("the matcher of %s has no values", m.Dimension)
		}
	}
	if point.OnDemand != q.Attach {
		return fmt.Errorf("attach is %v, and %s on demand is %v", q.Attach, q.POM, point.OnDemand)
	}
	if q.Kind == query.KindGrid && !point.Goroutines {
		return fmt.Errorf("there is no grid of %s", q.POM)
	}
	if q.Kind == query.KindExemplars && point.Extra == nil {
		return fmt.Errorf("there are no exemplars of %s", q.POM)
	}
	if q.Kind == query.KindEvents && !q.Live {
		return fmt.Errorf("events of %s are of one second only: live is not set", q.POM)
	}
	if isRow := slices.Contains(point.Dimensions, q.Y) && slices.Contains(heat.NumberDimensions, q.Y); (q.Kind == query.KindSpectrum) != isRow {
		return fmt.Errorf("a %s query of %s has y %q", q.Kind, q.POM, q.Y)
	}
	for _, s := range q.Statistics {
		if !statistic.MatchString(s) {
			return fmt.Errorf("statistic is %q, must be like %s", s, statistic)
		}
	}
	return checkLegend(q, q.GroupBy)
}

// checkGauge says what is wrong with a query of a gauge, which has a series for each process.
func checkGauge(q query.Query, gauge probe.Gauge) error {
	if q.Kind != query.KindHeatmap && q.Kind != query.KindSeries || len(q.GroupBy) > 0 || q.Attach || q.Live || q.Y != "" {
		return fmt.Errorf("%s is a gauge, of which there are heatmaps and series by process: %+v", gauge.Name, q)
	}
	for _, m := range q.Matchers {
		if !slices.Contains(heat.GaugeDimensions, m.Dimension) {
			return fmt.Errorf("a matcher has %s, a gauge has %v", m.Dimension, heat.GaugeDimensions)
		}
	}
	for _, s := range q.Statistics {
		if !slices.Contains([]string{"mean", "max", "min", "last"}, s) {
			return fmt.Errorf("statistic is %q, which a gauge has not", s)
		}
	}
	return checkLegend(q, heat.GaugeDimensions)
}

func checkLegend(q query.Query, dimensions []string) error {
	for _, placeholder := range placeholders.FindAllStringSubmatch(q.Legend, -1) {
		if name := placeholder[1]; !slices.Contains(dimensions, name) && name != "statistic" {
			return fmt.Errorf("the legend has {{%s}}, which is not in groupBy %v", name, dimensions)
		}
	}
	return nil
}

var (
	statistic    = regexp.MustCompile(`^(count|rate|sum|share|mean|max|p[0-9]{1,2}(\.[0-9]+)?)$`)
	placeholders = regexp.MustCompile(`\{\{(.*?)\}\}`)
)

func TestDashboardsAskOnlyForWhatThereIs(t *testing.T) {
	heatPanel := pluginID(t, "../src/panel/plugin.json")
	sourceType := pluginID(t, "../src/datasource/plugin.json")
	uids := map[string]string{}
	for path, d := range dashboards(t) {
		if d.UID == "" || d.Title == "" {
			t.Errorf("%s: uid is %q and title is %q, must have both", path, d.UID, d.Title)
		}
		if other, taken := uids[d.UID]; taken {
			t.Errorf("%s: uid %s is also that of %s", path, d.UID, other)
		}
		uids[d.UID] = path

		var variables []string
		for _, v := range d.Templating.List {
			if v.Type == "textbox" {
				variables = append(variables, v.Name)
				continue
			}
			if v.Datasource != (dataSourceRef{sourceType, sourceUID}) {
				t.Errorf("%s: variable %s asks %+v, must ask %s", path, v.Name, v.Datasource, sourceUID)
			}
			if v.Query.Dimension == "target" {
				variables = append(variables, v.Name)
				continue
			}
			// With a measurement point they are the values of the time range, so
			// that one can choose the version that a release replaced.
			number, err := probe.PointNumber(v.Query.POM)
			if err != nil || !slices.Contains(probe.Catalogue[number].Dimensions, v.Query.Dimension) {
				t.Errorf("%s: variable %s asks for %s of %s: %v", path, v.Name, v.Query.Dimension, v.Query.POM, err)
			}
			if v.IncludeAll && v.AllValue != "*" {
				t.Errorf("%s: All of variable %s is %q, must be * to keep what comes and goes", path, v.Name, v.AllValue)
			}
			for _, m := range v.Query.Matchers {
				for _, value := range m.Values {
					if !slices.Contains(variables, strings.TrimPrefix(value, "$")) {
						t.Errorf("%s: variable %s depends on %s, which does not come before it", path, v.Name, value)
					}
				}
			}
			variables = append(variables, v.Name)
		}
		releases := false
		for _, a := range d.Annotations.List {
			if a.BuiltIn == 1 {
				continue
			}
			if err := checkQuery(a.Target); err != nil {
				t.Errorf("%s: annotation %s: %v", path, a.Name, err)
			}
			releases = releases || a.Enable && a.Target["kind"] == string(query.KindReleases) && a.Datasource == dataSourceRef{sourceType, sourceUID}
		}
		if !releases {
			t.Errorf("%s does not show releases", path)
		}

		heat := 0
		ids := map[int64]string{}
		for _, p := range d.Panels {
			name := fmt.Sprintf("%s: panel %d, %s", path, p.ID, p.Title)
			if other, taken := ids[p.ID]; taken || p.ID <= 0 {
				t.Errorf("%s: the id is also that of %q, must be its own and over 0", name, other)
			}
			ids[p.ID] = p.Title
			switch p.Type {
			case heatPanel:
				heat++
			case "timeseries", "stat", "table":
			case "flamegraph": // Grafana's own; the workbench says that it has none
			case "text", "row":
				if len(p.Panels) > 0 {
					t.Errorf("%s: holds panels: the workbench shows no collapsed rows", name)
				}
				continue
			default:
				t.Errorf("%s: type is %s, which the workbench does not show", name, p.Type)
			}
			if len(p.Description) < 40 {
				t.Errorf("%s: does not say how to read it", name)
			}
			if p.Datasource == nil || *p.Datasource != (dataSourceRef{sourceType, sourceUID}) {
				t.Errorf("%s: asks %+v, must ask %s", name, p.Datasource, sourceUID)
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s: has no query", name)
			}
			for _, target := range p.Targets {
				if err := checkQuery(target); err != nil {
					t.Errorf("%s: query %v: %v", name, target["refId"], err)
				}
				text, err := json.Marshal(target)
				if err != nil {
					t.Fatal(err)
				}
				for _, use := range regexp.MustCompile(`\$([a-z]\w*)`).FindAllSubmatch(text, -1) {
					if !slices.Contains(variables, string(use[1])) {
						t.Errorf("%s: uses $%s, the dashboard has %v", name, use[1], variables)
					}
				}
			}
		}
		if heat == 0 {
			t.Errorf("%s shows no heat", path)
		}
		checkLayout(t, path, d.Panels)
	}
	for _, uid := range []string{"gotherm-go-heat", "gotherm-gc-numa", "gotherm-cost", "gotherm-requests", "gotherm-release", "gotherm-profiles"} {
		if uids[uid] == "" {
			t.Errorf("there is no dashboard %s", uid)
		}
	}
}

// checkLayout refuses panels that overlap or leave the 24 columns of a dashboard.
func checkLayout(t *testing.T, path string, panels []panel) {
	t.Helper()
	for i, a := range panels {
		if a.GridPos.W < 1 || a.GridPos.H < 1 || a.GridPos.X < 0 || a.GridPos.X+a.GridPos.W > 24 {
			t.Errorf("%s: %s is at %+v, must be inside of 24 columns", path, a.Title, a.GridPos)
		}
		for _, b := range panels[:i] {
			apart := a.GridPos.X >= b.GridPos.X+b.GridPos.W || b.GridPos.X >= a.GridPos.X+a.GridPos.W ||
				a.GridPos.Y >= b.GridPos.Y+b.GridPos.H || b.GridPos.Y >= a.GridPos.Y+a.GridPos.H
			if !apart {
				t.Errorf("%s: %s at %+v lies over %s at %+v", path, a.Title, a.GridPos, b.Title, b.GridPos)
			}
		}
	}
}

// alerting is the part of Grafana's file format that the rules use.
type alerting struct {
	APIVersion int `yaml:"apiVersion"`
	Groups     []struct {
		OrgID    int    `yaml:"orgId"`
		Name     string `yaml:"name"`
		Folder   string `yaml:"folder"`
		Interval string `yaml:"interval"`
		Rules    []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	UID          string            `yaml:"uid"`
	Title        string            `yaml:"title"`
	Condition    string            `yaml:"condition"`
	For          string            `yaml:"for"`
	NoDataState  string            `yaml:"noDataState"`
	ExecErrState string            `yaml:"execErrState"`
	DashboardUID string            `yaml:"dashboardUid"`
	PanelID      int64             `yaml:"panelId"`
	Labels       map[string]string `yaml:"labels"`
	Annotations  map[string]string `yaml:"annotations"`
	Data         []struct {
		RefID             string         `yaml:"refId"`
		DatasourceUID     string         `yaml:"datasourceUid"`
		RelativeTimeRange map[string]int `yaml:"relativeTimeRange"`
		Model             map[string]any `yaml:"model"`
	} `yaml:"data"`
}

func TestAlertRulesWatchThePausesOfEachNode(t *testing.T) {
	var file alerting
	readYAML(t, "alerting/gc-pauses.yaml", &file)
	panels := map[string]bool{}
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			panels[fmt.Sprint(d.UID, p.ID)] = true
		}
	}
	watched := map[string]bool{}
	uids := map[string]bool{}
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if r.UID == "" || uids[r.UID] {
				t.Errorf("%s: uid is %q, must be its own", r.Title, r.UID)
			}
			uids[r.UID] = true
			if !panels[fmt.Sprint(r.DashboardUID, r.PanelID)] {
				t.Errorf("%s: leads to panel %d of %s, which is not there", r.Title, r.PanelID, r.DashboardUID)
			}
			if r.NoDataState != "OK" {
				t.Errorf("%s: no data is %s, must be OK: a program that does not collect does not pause", r.Title, r.NoDataState)
			}
			if r.Labels["severity"] == "" {
				t.Errorf("%s: has no severity", r.Title)
			}
			for _, part := range []string{"$labels.node", "$labels.service", "$values.worst.Value"} {
				if !strings.Contains(r.Annotations["summary"], part) {
					t.Errorf("%s: the summary does not say %s", r.Title, part)
				}
			}
			// The expressions form a chain from the query to the condition.
			before := ""
			for i, step := range r.Data {
				if step.Model["refId"] != step.RefID {
					t.Errorf("%s: step %d is %s outside and %v inside", r.Title, i, step.RefID, step.Model["refId"])
				}
				if i == 0 {
					if step.DatasourceUID != sourceUID {
						t.Errorf("%s: asks %s", r.Title, step.DatasourceUID)
					}
					if step.RelativeTimeRange["from"] <= 0 {
						t.Errorf("%s: looks back %v", r.Title, step.RelativeTimeRange)
					}
					if err := checkQuery(step.Model); err != nil {
						t.Errorf("%s: %v", r.Title, err)
					}
					var q struct {
						Kind, POM           string
						GroupBy, Statistics []string
					}
					content, err := json.Marshal(step.Model)
					if err != nil {
						t.Fatal(err)
					}
					if err := json.Unmarshal(content, &q); err != nil {
						t.Fatal(err)
					}
					if q.Kind != string(query.KindSeries) || q.POM != "gc.stw" || !slices.Contains(q.GroupBy, "node") || len(q.Statistics) != 1 {
						t.Errorf("%s: asks for %+v, must be one statistic of gc.stw by node", r.Title, q)
					}
					watched[q.Statistics[0]] = true
				} else if step.DatasourceUID != "__expr__" || step.Model["expression"] != before {
					t.Errorf("%s: %s is made of %v, must be an expression of %s", r.Title, step.RefID, step.Model["expression"], before)
				}
				before = step.RefID
			}
			if r.Condition != before {
				t.Errorf("%s: the condition is %s, must be the last step, %s", r.Title, r.Condition, before)
			}
		}
	}
	if !watched["p99"] || !watched["max"] {
		t.Errorf("the rules watch %v, must watch p99 and max", watched)
	}
}

func TestAnAlertRuleHoldsTheCostOfWatchingAgainstItsBudget(t *testing.T) {
	var file alerting
	readYAML(t, "alerting/cost.yaml", &file)
	cost := dashboards(t)["dashboards/cost-of-watching.json"]
	for _, r := range file.Groups[0].Rules {
		if r.DashboardUID != cost.UID || !slices.ContainsFunc(cost.Panels, func(p panel) bool { return p.ID == r.PanelID }) {
			t.Errorf("%s: leads to panel %d of %s, which is not there", r.Title, r.PanelID, r.DashboardUID)
		}
		if r.NoDataState != "OK" || r.Labels["severity"] == "" {
			t.Errorf("%s: no data is %s and the severity %q: who watches nothing pays nothing", r.Title, r.NoDataState, r.Labels["severity"])
		}
		steps := map[string]string{}
		for _, step := range r.Data {
			if step.Model["refId"] != step.RefID {
				t.Errorf("%s: step %s is %v inside", r.Title, step.RefID, step.Model["refId"])
			}
			if step.DatasourceUID == sourceUID {
				if err := checkQuery(step.Model); err != nil {
					t.Errorf("%s: %s: %v", r.Title, step.RefID, err)
				}
				steps[step.RefID] = fmt.Sprint(step.Model["pom"])
				continue
			}
			steps[step.RefID] = regexp.MustCompile(`\$?\b[a-z]+`).ReplaceAllStringFunc(fmt.Sprint(step.Model["expression"]), func(name string) string {
				return steps[strings.TrimPrefix(name, "$")]
			})
		}
		if steps[r.Condition] != "watch.cost > 1.5 * watch.budget" {
			t.Errorf("%s: fires when %s", r.Title, steps[r.Condition])
		}
	}
}

func TestTheDataSourceIsTheOneThatAllAsk(t *testing.T) {
	var file struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access string
			JSONData                map[string]any `yaml:"jsonData"`
		}
	}
	readYAML(t, "datasources/gotherm.yaml", &file)
	if len(file.Datasources) != 1 {
		t.Fatalf("there are %d data sources, want one", len(file.Datasources))
	}
	source := file.Datasources[0]
	if want := pluginID(t, "../src/datasource/plugin.json"); source.UID != sourceUID || source.Type != want {
		t.Errorf("the data source is %s of type %s, want %s of type %s", source.UID, source.Type, sourceUID, want)
	}
	var settings query.Settings
	if err := strict(source.JSONData, &settings); err != nil {
		t.Errorf("jsonData: %v", err)
	}
	if len(settings.Agents) != 1 || settings.Agents[0].URL != "$GOTHERM_AGENT_URL" {
		t.Errorf("the agents are %+v, want one at $GOTHERM_AGENT_URL", settings.Agents)
	}
	var apps struct {
		APIVersion int `yaml:"apiVersion"`
		Apps       []struct {
			Type     string
			OrgID    int `yaml:"org_id"`
			Disabled bool
		}
	}
	readYAML(t, "plugins/app.yaml", &apps)
	if len(apps.Apps) != 1 || apps.Apps[0].Type != pluginID(t, "../plugin.json") || apps.Apps[0].Disabled {
		t.Errorf("the apps are %+v, want ours enabled", apps.Apps)
	}
}

func TestNothingLeadsOutside(t *testing.T) {
	outside := regexp.MustCompile(`https?://[^\s"')]*`)
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".go") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, url := range outside.FindAll(content, -1) {
			if !bytes.HasPrefix(url, []byte("http://127.0.0.1")) {
				t.Errorf("%s leads to %s", path, url)
			}
		}
		if strings.HasSuffix(path, ".yaml") {
			var anything any
			if err := yaml.Unmarshal(content, &anything); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
