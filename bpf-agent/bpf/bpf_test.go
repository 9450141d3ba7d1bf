package bpf

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/gotherm/gotherm/pkg/heat"
)

//go:generate go tool bpf2go -target amd64,arm64 -strip llvm-strip -cflags "-O2 -Wall -Werror -Wno-unused-function" -no-global-types -type bucket_question -output-stem bucket Bucket bucket_test.bpf.c
//go:generate go tool bpf2go -target amd64,arm64 -strip llvm-strip -cflags "-O2 -Wall -Werror -Wno-unused-function" -no-global-types -go-package main -output-dir ../ -output-stem calls Calls calls_test.bpf.c
//go:generate go tool bpf2go -target amd64,arm64 -strip llvm-strip -cflags "-O2 -Wall -Werror -Wno-unused-function" -no-global-types -type order -go-package ingest -output-dir ../ingest -output-stem producer Producer producer_test.bpf.c

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("loading programs into the kernel needs root")
	}
}

// paddedBounds is what package probe writes into the programs.
func paddedBounds() (b [256]uint64) {
	for i := range b {
		b[i] = math.MaxUint64
	}
	copy(b[:], heat.Bounds[:])
	return b
}

func TestKernelAndHeatAgreeOnTheBucketOfAValue(t *testing.T) {
	needsRoot(t)
	spec, err := LoadBucket()
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Variables[BucketVarBounds].Set(paddedBounds()); err != nil {
		t.Fatal(err)
	}
	objects := BucketObjects{}
	if err := spec.LoadAndAssign(&objects, nil); err != nil {
		t.Fatal(err)
	}
	defer objects.Close()

	values := []uint64{0, 1, math.MaxInt64, math.MaxUint64 - 1, math.MaxUint64}
	for _, b := range heat.Bounds {
		values = append(values, b-1, b, b+1)
	}
	for range 2000 {
		values = append(values, rand.Uint64()>>rand.UintN(64))
	}
	for _, v := range values {
		question := BucketBucketQuestion{Value: v}
		if _, err := objects.AskBucket.Run(&ebpf.RunOptions{Context: question, ContextOut: &question}); err != nil {
			t.Fatal(err)
		}
		if want := heat.Bucket(v); question.Bucket != uint64(want) {
			t.Fatalf("kernel puts %d into bucket %d, heat into %d", v, question.Bucket, want)
		}
	}
}

// Kernels from 6.13 on give functions that use 64 bytes of stack or more a
// private one for each CPU, and have panicked when such a program was preempted.
func TestNoFunctionUses64BytesOfStack(t *testing.T) {
	needsRoot(t)
	spec, err := LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	collection, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats},
	})
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		t.Fatalf("%+v", verifier)
	} else if err != nil {
		t.Fatal(err)
	}
	defer collection.Close()
	depth := regexp.MustCompile(`stack depth ([0-9+]+)`)
	for name, program := range collection.Programs {
		found := depth.FindStringSubmatch(program.VerifierLog)
		if found == nil {
			t.Fatalf("%s: no stack depth in the verifier's log:\n%s", name, program.VerifierLog)
		}
		// "24+56+0": the program's, then those of the functions it calls.
		for part := range strings.SplitSeq(found[1], "+") {
			n, err := strconv.Atoi(part)
			if err != nil {
				t.Fatal(err)
			}
			if n >= 64 {
				t.Errorf("%s: a function uses %d bytes of stack (%s), must be less than 64", name, n, found[1])
			}
		}
	}
}
