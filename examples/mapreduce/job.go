package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gotherm/gotherm/pkg/instrument"
)

// job is what is done in each round.
//
//	files ─split▶ pieces ─map▶ records of each partition ─shuffle▶ sorted ─reduce▶ words ─output▶ files
type job struct {
	files, size, partitions, workers int
	dir                              string
	inputs                           []string
	borders                          []string // the first word of each partition but the first
	lifetime                         *instrument.Lifetime
}

func (j *job) check() error {
	for _, limit := range []struct {
		name         string
		n, from, max int
	}{{"files", j.files, 1, 1000}, {"size", j.size, 1, 1 << 30}, {"partitions", j.partitions, 1, 1000}, {"workers", j.workers, 1, 1000}} {
		if limit.n < limit.from || limit.n > limit.max {
			return fmt.Errorf("%s is %d, must be from %d to %d", limit.name, limit.n, limit.from, limit.max)
		}
	}
	return nil
}

// pieceSize is about how long a piece of a file is.
const pieceSize = 256 << 10

// piece is a part of a file, of whole lines.
type piece struct {
	file int
	text []byte
}

// record is a word, and where it is.
type record struct {
	word string
	at   uint64
}

// entry is what is found of a word: how often it is there, and where, as varints
// of the distances.
type entry struct {
	word   string
	count  int
	places []byte
}

// result is what a round found.
type result struct {
	words  int
	counts map[string]int
}

// top lists the n most frequent words.
func (r *result) top(n int) string {
	words := slices.SortedFunc(maps.Keys(r.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.counts[b], r.counts[a]), cmp.Compare(a, b))
	})
	var lines strings.Builder
	for _, word := range words[:min(n, len(words))] {
		fmt.Fprintf(&lines, "%d %s\n", r.counts[word], word)
	}
	return lines.String()
}

func (j *job) round(ctx context.Context) (*result, error) {
	pieces, err := j.split(ctx)
	if err != nil {
		return nil, err
	}
	mapped := j.mapPieces(ctx, pieces)
	entries := make([][]entry, j.partitions)
	// A partition goes from shuffle to reduce on one goroutine.
	j.each(j.partitions, func(p int) { entries[p] = j.reduce(ctx, p, j.shuffle(ctx, p, mapped)) })
	return j.output(ctx, entries)
}

// each calls f with 0 to n-1, on the job's workers.
func (j *job) each(n int, f func(i int)) {
	var done sync.WaitGroup
	next := make(chan int)
	for range min(j.workers, n) {
		done.Add(1)
		j.lifetime.Go(func() {
			defer done.Done()
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	done.Wait()
}

// split reads the files and cuts them at the ends of lines.
func (j *job) split(ctx context.Context) ([]piece, error) {
	_, stage := instrument.Stage(ctx, "split")
	defer stage.End()
	var pieces []piece
	for i, path := range j.inputs {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("split: %w", err)
		}
		for len(text) > 0 {
			end := min(pieceSize, len(text))
			if newline := bytes.IndexByte(text[end-1:], '\n'); newline >= 0 {
				end += newline
			} else {
				end = len(text)
			}
			pieces = append(pieces, piece{i, text[:end]})
			text = text[end:]
		}
	}
	return pieces, nil
}

// mapPieces makes the records of each piece, by partition. Its workers begin no
// stage: they belong to that in which they were started.
func (j *job) mapPieces(ctx context.Context, pieces []piece) [][][]record {
	_, stage := instrument.Stage(ctx, "map")
	defer stage.End()
	mapped := make([][][]record, len(pieces))
	j.each(len(pieces), func(i int) {
		records := make([][]record, j.partitions)
		p := pieces[i]
		for at := 0; at < len(p.text); {
			end := at
			for end < len(p.text) && p.text[end] != ' ' && p.text[end] != '\n' {
				end++
			}
			if end > at {
				word := string(bytes.ToLower(p.text[at:end]))
				to, first := slices.BinarySearch(j.borders, word)
				if first {
					to++
				}
				records[to] = append(records[to], record{word, uint64(i)<<32 | uint64(at)})
			}
			at = end + 1
		}
		mapped[i] = records
	})
	return mapped
}

// shuffle brings the records of a partition together and sorts them.
func (j *job) shuffle(ctx context.Context, partition int, mapped [][][]record) []record {
	_, stage := instrument.Stage(ctx, "shuffle", "partition", strconv.Itoa(partition))
	defer stage.End()
	var records []record
	for _, m := range mapped {
		records = append(records, m[partition]...)
	}
	slices.SortFunc(records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.word, b.word), cmp.Compare(a.at, b.at))
	})
	return records
}

// reduce makes an entry of all records of a word.
func (j *job) reduce(ctx context.Context, partition int, records []record) []entry {
	_, stage := instrument.Stage(ctx, "reduce", "partition", strconv.Itoa(partition))
	defer stage.End()
	var entries []entry
	for len(records) > 0 {
		e := entry{word: records[0].word}
		for before := uint64(0); e.count < len(records) && records[e.count].word == e.word; e.count++ {
			e.places = binary.AppendUvarint(e.places, records[e.count].at-before)
			before = records[e.count].at
		}
		entries = append(entries, e)
		records = records[e.count:]
	}
	return entries
}

// output writes a file for each partition, in the order of words.
func (j *job) output(ctx context.Context, entries [][]entry) (*result, error) {
	_, stage := instrument.Stage(ctx, "output")
	defer stage.End()
	found := &result{counts: map[string]int{}}
	for p, partition := range entries {
		if err := writeEntries(filepath.Join(j.dir, fmt.Sprintf("output-%d.txt", p)), partition); err != nil {
			return nil, fmt.Errorf("output of partition %d: %w", p, err)
		}
		for _, e := range partition {
			found.words += e.count
			found.counts[e.word] = e.count
		}
	}
	return found, nil
}

func writeEntries(path string, entries []entry) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	for _, e := range entries {
		fmt.Fprintf(w, "%s\t%d\t%d\n", e.word, e.count, len(e.places))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}
