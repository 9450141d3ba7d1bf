package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// wantedNodes is how many NUMA nodes the machine must have.
const wantedNodes = 2

// readConsole reads what the machine says until it is done, reports to a
// writer, and fails when anything did: a job, a test, or a test that was skipped
// though it could have run; and when there was no test, or no end.
func readConsole(console io.Reader, report io.Writer) error {
	var errs []error
	var v verdict
	var of bytes.Buffer // what the job says that runs
	job, done, machine := "", false, ""
	lines := bufio.NewReader(console)
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		word, rest, said := strings.Cut(line, mark)
		if !said || word != "" {
			if job != "" {
				fmt.Fprintln(&of, line)
			}
			if err != nil {
				break
			}
			continue
		}
		word, rest, _ = strings.Cut(rest, " ")
		switch word {
		case "machine":
			machine = rest
			fmt.Fprintln(report, "machine:", rest, "NUMA nodes")
		case "begin":
			job = rest
			of.Reset()
		case "end":
			name, code, _ := strings.Cut(rest, " ")
			errs = append(errs, v.take(name, code, of.Bytes(), report))
			job = ""
		case "error":
			errs = append(errs, errors.New(rest))
		case "done":
			done = true
		}
		if err != nil {
			break
		}
	}
	if !done {
		errs = append(errs, fmt.Errorf("the machine ended before it was done, in %q:\n%s", job, of.String()))
	}
	if !strings.HasSuffix(machine, fmt.Sprint(" ", wantedNodes)) {
		errs = append(errs, fmt.Errorf("the machine is %q, must have %d NUMA nodes", machine, wantedNodes))
	}
	fmt.Fprintf(report, "vm_tests_passed %d\nvm_tests_failed %d\nvm_tests_skipped %d\n", v.passed, v.failed, v.skipped)
	if v.passed == 0 {
		errs = append(errs, errors.New("no test has passed"))
	}
	return errors.Join(errs...)
}

// verdict counts tests.
type verdict struct{ passed, failed, skipped int }

// take takes in what a job said, and how it ended.
func (v *verdict) take(name, code string, output []byte, report io.Writer) error {
	var errs []error
	if code != "0" {
		errs = append(errs, fmt.Errorf("%s ended with %s", name, code))
	}
	before := *v
	events, err := testEvents(output)
	if err != nil {
		return fmt.Errorf("read what %s said: %w", name, err)
	}
	said := map[string]string{}
	for _, e := range events {
		if e.Test == "" {
			continue
		}
		switch e.Action {
		case "output":
			said[e.Test] += e.Output
		case "pass":
			v.passed++
			fmt.Fprintf(report, "  ok    %s %s (%.1fs)\n%s", name, e.Test, e.Elapsed, logged(said[e.Test]))
		case "fail":
			v.failed++
			errs = append(errs, fmt.Errorf("%s %s failed:\n%s", name, e.Test, said[e.Test]))
		case "skip":
			v.skipped++
			fmt.Fprintf(report, "  skip  %s %s\n%s", name, e.Test, said[e.Test])
			if !strings.Contains(said[e.Test], "cannot run here: ") {
				errs = append(errs, fmt.Errorf("%s %s was skipped, though it can run here", name, e.Test))
			}
		}
	}
	switch {
	case code != "0" && v.failed == before.failed:
		errs = append(errs, fmt.Errorf("%s said:\n%s", name, output))
	case *v == before: // no tests: a program
		fmt.Fprintf(report, "%s said:\n%s", name, output)
	}
	return errors.Join(errs...)
}

// logged is what a test logged, of all that it printed.
func logged(output string) (lines string) {
	for line := range strings.Lines(output) {
		if text := strings.TrimLeft(line, " "); len(line)-len(text) >= 4 && !strings.HasPrefix(text, "--- ") {
			lines += line
		}
	}
	return lines
}

// testEvent is one of go doc test2json.
type testEvent struct {
	Action, Test, Output string
	Elapsed              float64
}

func testEvents(output []byte) (events []testEvent, err error) {
	convert := exec.Command("go", "tool", "test2json", "-t")
	convert.Stdin = bytes.NewReader(output)
	text, err := convert.Output()
	if err != nil {
		return nil, fmt.Errorf("test2json: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	for decoder.More() {
		var e testEvent
		if err := decoder.Decode(&e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}
