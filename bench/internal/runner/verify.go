package runner

import (
	"fmt"
	"slices"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/compare"
)

// Verify finds mistakes in the cases and in the bar files that go with them: a
// name used twice, a baseline that is not there, a bar whose case or baseline
// does not exist. Tests of the commands call it, so that a slip is found before
// anything is measured.
func Verify(barPaths []string, groups ...compare.Group) error {
	cases, err := flatten(groups)
	if err != nil {
		return err
	}
	bars, err := result.ReadBars(barPaths...)
	if err != nil {
		return err
	}
	for i := range bars {
		b := &bars[i]
		found := false
		for _, c := range cases {
			// A bar for one GOMAXPROCS may name one that only -cpu asks for.
			if !slices.ContainsFunc(append(unitsOf(c, nil), unitsOf(c, []int{1, 2, 4, 8})...), func(u unit) bool { return b.Matches(c.Key(), u.cpus) }) {
				continue
			}
			found = true
			has := func(im compare.Impl) bool { return im.Name == b.Baseline }
			if b.Kind() == result.Comparison && !slices.ContainsFunc(c.Impls[1:], has) {
				return fmt.Errorf("%s: case %s has no implementation %s", b.At(), c.Key(), b.Baseline)
			}
		}
		if f := b.Floor(); f != "" && !slices.ContainsFunc(cases, func(c *compare.Case) bool {
			return c.Group == result.FloorGroup && slices.ContainsFunc(c.Impls, func(im compare.Impl) bool { return im.Name == f })
		}) {
			return fmt.Errorf("%s: the group %s has no implementation %s", b.At(), result.FloorGroup, f)
		}
		if !found {
			return fmt.Errorf("%s: no case has the name %s", b.At(), b.Case)
		}
	}
	return nil
}
