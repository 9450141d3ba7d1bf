package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
)

// dashboardFile is one file of the dashboards' directory: its model as
// Grafana's JSON, or what is wrong with it.
type dashboardFile struct {
	File      string          `json:"file"`
	Dashboard json.RawMessage `json:"dashboard,omitempty"`
	Error     string          `json:"error,omitempty"`
}

// readDashboards reads every JSON file under a directory, in the order of their names.
func readDashboards(directory string) ([]dashboardFile, error) {
	files := []dashboardFile{}
	tree := os.DirFS(directory)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".json" {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file := dashboardFile{File: name}
		var model struct {
			UID    string            `json:"uid"`
			Title  string            `json:"title"`
			Panels []json.RawMessage `json:"panels"`
		}
		switch err := json.Unmarshal(content, &model); {
		case err != nil:
			file.Error = err.Error()
		case model.UID == "" || model.Title == "":
			file.Error = "a dashboard must have a uid and a title"
		default:
			file.Dashboard = content
		}
		files = append(files, file)
		return nil
	})
	return files, err
}

func listDashboards(w http.ResponseWriter, directory string) {
	files, err := readDashboards(directory)
	if err != nil {
		refuse(w, http.StatusInternalServerError, fmt.Errorf("read dashboards: %w", err))
		return
	}
	answer(w, http.StatusOK, files)
}
