package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// vocabulary is how many different words there are at most.
const vocabulary = 20_000

// words makes up the vocabulary, the most frequent first.
func words() []string {
	random := rand.New(rand.NewPCG(1, 2))
	made := map[string]bool{}
	var all []string
	for len(all) < vocabulary {
		var word []byte
		for range 1 + random.IntN(3) {
			word = append(word, "bcdfghklmnprstvwz"[random.IntN(17)], "aeiou"[random.IntN(5)], "lmnrst"[random.IntN(6)])
		}
		if !made[string(word)] {
			made[string(word)] = true
			all = append(all, string(word))
		}
	}
	return all
}

// generate writes the files of the job: words as often as Zipf's law has it, in
// lines of a dozen.
func (j *job) generate() error {
	all := words()
	for i := range j.files {
		path := filepath.Join(j.dir, fmt.Sprintf("input-%d.txt", i))
		if err := writeText(path, j.size, all, rand.New(rand.NewPCG(3, uint64(i)))); err != nil {
			return fmt.Errorf("generate %s: %w", path, err)
		}
		j.inputs = append(j.inputs, path)
	}
	// As many different words in each partition.
	slices.Sort(all)
	for i := 1; i < j.partitions; i++ {
		j.borders = append(j.borders, all[i*len(all)/j.partitions])
	}
	return nil
}

func writeText(path string, size int, all []string, random *rand.Rand) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	often := rand.NewZipf(random, 1.4, 1, uint64(len(all)-1))
	for written, n := 0, 1; written < size; n++ {
		word := all[often.Uint64()]
		w.WriteString(word)
		if n%12 == 0 {
			w.WriteByte('\n')
		} else {
			w.WriteByte(' ')
		}
		written += len(word) + 1
	}
	w.WriteByte('\n')
	return w.Flush()
}
