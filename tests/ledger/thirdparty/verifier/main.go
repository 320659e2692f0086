// Command verifier checks what a Vitrine ledger gives to outsiders, with the transparency log code of the Go project
// and none of ours.
//
//	verifier record VKEY PROOF HEADER   PROOF: a .tlog-proof file; HEADER: the bytes of the record's header
//	verifier growth VKEY OLD NEW PROOF  OLD, NEW: checkpoints; PROOF: a file of base64 hashes, one a line
//
// It prints the size of the tree that was proved and exits 0, or says what is wrong and exits 1.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	size, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(size)
}

func run(args []string) (int64, error) {
	if len(args) < 4 {
		return 0, fmt.Errorf("usage: verifier record VKEY PROOF HEADER | verifier growth VKEY OLD NEW PROOF")
	}
	verifier, err := note.NewVerifier(args[1])
	if err != nil {
		return 0, err
	}
	texts := make([]string, len(args)-2)
	for i, name := range args[2:] {
		data, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		texts[i] = string(data)
	}
	switch {
	case args[0] == "record" && len(texts) == 2:
		return record(verifier, texts[0], texts[1])
	case args[0] == "growth" && len(texts) == 3:
		return growth(verifier, texts[0], texts[1], texts[2])
	}
	return 0, fmt.Errorf("no such command: %s", args[0])
}

// record checks a c2sp.org/tlog-proof.
func record(verifier note.Verifier, proof, header string) (int64, error) {
	head, checkpoint, found := strings.Cut(proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, fmt.Errorf("not a tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return 0, err
	}
	path, err := hashes(lines[2:])
	if err != nil {
		return 0, err
	}
	tree, err := open(verifier, checkpoint)
	if err != nil {
		return 0, err
	}
	return tree.N, tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash([]byte(header)))
}

// growth checks that the tree of one checkpoint continues that of an earlier one.
func growth(verifier note.Verifier, earlier, later, proof string) (int64, error) {
	old, err := open(verifier, earlier)
	if err != nil {
		return 0, err
	}
	grown, err := open(verifier, later)
	if err != nil {
		return 0, err
	}
	path, err := hashes(strings.Fields(proof))
	if err != nil {
		return 0, err
	}
	return grown.N, tlog.CheckTree(path, grown.N, grown.Hash, old.N, old.Hash)
}

// open reads a c2sp.org/tlog-checkpoint that the verifier's key signed.
func open(verifier note.Verifier, checkpoint string) (tlog.Tree, error) {
	signed, err := note.Open([]byte(checkpoint), note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func hashes(lines []string) ([]tlog.Hash, error) {
	path := make([]tlog.Hash, 0, len(lines))
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		path = append(path, hash)
	}
	return path, nil
}
