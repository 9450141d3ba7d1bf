package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
)

// Word returns the string that a number stands for in the keys and events of a
// slot; "" for 0. What is not UTF-8 in it is replaced.
func (k *Kernel) Word(s *Slot, number uint32) (string, error) {
	if number == 0 {
		return "", nil
	}
	var w bpf.KernelWord
	if err := k.collection.Maps[bpf.KernelMapWords].Lookup(bpf.KernelWordKey{Slot: uint32(s.Number), Word: number}, &w); err != nil {
		return "", fmt.Errorf("read word %#x of slot %d: %w", number, s.Number, err)
	}
	var text []byte
	for _, eight := range w.Bytes {
		text = binary.LittleEndian.AppendUint64(text, eight)
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	return strings.ToValidUTF8(string(text), "\uFFFD"), nil
}

// forgetWords deletes the words of a slot that is given back.
func (k *Kernel) forgetWords(s *Slot) error {
	words := k.collection.Maps[bpf.KernelMapWords]
	var gone []bpf.KernelWordKey
	var key bpf.KernelWordKey
	var w bpf.KernelWord
	for all := words.Iterate(); all.Next(&key, &w); {
		if key.Slot == uint32(s.Number) {
			gone = append(gone, key)
		}
	}
	for _, key := range gone {
		if err := words.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete words of slot %d: %w", s.Number, err)
		}
	}
	return nil
}
