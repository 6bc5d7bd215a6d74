package main

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"runtime"
	"slices"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"number": func(v []float64) string { return number(median(v)) },
}).Parse(pageText))

// writePage writes the tables as plots: one file that needs nothing else.
func writePage(path string, sections []section) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	machine := fmt.Sprintf("%s on %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	err = page.Execute(f, struct {
		Machine  string
		Sections []section
	}{machine, sections})
	return errors.Join(err, f.Close())
}

// Percent returns where v, or the median if it is a list, stands on the row's scale.
func (r *row) Percent(v any) float64 {
	x, ok := v.(float64)
	if list, isList := v.([]float64); !ok && isList {
		x = median(list)
	}
	most := 1e-9
	for _, v := range slices.Concat(r.Before, r.After) {
		most = max(most, v)
	}
	return 98 * x / most
}
