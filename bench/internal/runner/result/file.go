package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of an output directory that hold a run.
const (
	RowsFile = "results.json" // a list of rows
	InfoFile = "run.json"     // the circumstances
)

// WriteJSON writes the rows as an indented list.
func WriteJSON(w io.Writer, rows []Row) error {
	if rows == nil {
		rows = []Row{}
	}
	return writeIndented(w, rows)
}

// Save writes results.json and run.json into dir.
func (r *Run) Save(dir string) error {
	err := writeFile(filepath.Join(dir, RowsFile), func(w io.Writer) error { return WriteJSON(w, r.Rows) })
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, InfoFile), func(w io.Writer) error { return writeIndented(w, r.Info) })
}

// Load reads a results.json and, when there is one, the run.json beside it.
func Load(path string) (*Run, error) {
	var r Run
	if err := readJSON(path, &r.Rows); err != nil {
		return nil, err
	}
	for i := range r.Rows {
		if r.Rows[i].Group == "" || r.Rows[i].Case == "" || r.Rows[i].Impl == "" {
			return nil, fmt.Errorf("%s: row %d has no group, case or impl: not a results.json", path, i)
		}
	}
	err := readJSON(filepath.Join(filepath.Dir(path), InfoFile), &r.Info)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &r, nil
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func writeIndented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(v)
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
