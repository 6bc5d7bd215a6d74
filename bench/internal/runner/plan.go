package runner

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/compare"
)

// unit is one case at one GOMAXPROCS: what is measured as a block, so that its
// implementations are adjacent in time.
type unit struct {
	c    *compare.Case
	cpus int
}

func (u unit) String() string { return fmt.Sprintf("%s-%d", u.c.Key(), u.cpus) }

// metrics returns the units that the implementations are compared by.
func metrics(c *compare.Case) []string {
	if len(c.Metrics) == 0 {
		return []string{"ns/op"}
	}
	return c.Metrics
}

// checkCases finds mistakes in the cases' declarations.
func checkCases(cases []*compare.Case) error {
	seen := make(map[string]bool)
	for _, c := range cases {
		switch {
		case c.Group == "" || c.Name == "":
			return fmt.Errorf("case %q has no group or no name", c.Key())
		case strings.ContainsAny(c.Key(), " \t\n"):
			return fmt.Errorf("case %q has a space in its name", c.Key())
		case seen[c.Key()]:
			return fmt.Errorf("case %s is declared twice", c.Key())
		case len(c.Impls) == 0:
			return fmt.Errorf("case %s has no implementations", c.Key())
		}
		if c.BenchTime != "" && !validBenchTime(c.BenchTime) {
			return fmt.Errorf("case %s: BenchTime %q is neither a duration nor a count like 10x", c.Key(), c.BenchTime)
		}
		for _, n := range c.CPUs {
			if n < 1 {
				return fmt.Errorf("case %s: CPUs has %d", c.Key(), n)
			}
		}
		seen[c.Key()] = true
		var names []string
		for _, im := range c.Impls {
			switch {
			case im.Name == "" || strings.ContainsAny(im.Name, " \t\n/"):
				return fmt.Errorf("case %s: bad implementation name %q", c.Key(), im.Name)
			case slices.Contains(names, im.Name):
				return fmt.Errorf("case %s declares %s twice", c.Key(), im.Name)
			case im.Bench == nil:
				return fmt.Errorf("case %s: %s has no Bench", c.Key(), im.Name)
			}
			names = append(names, im.Name)
		}
		for _, b := range c.Baselines {
			if !slices.Contains(names[1:], b) {
				return fmt.Errorf("case %s names the baseline %q but has no such implementation", c.Key(), b)
			}
		}
	}
	return nil
}

// selectUnits returns what -run, -quick and -cpu choose.
func selectUnits(cases []*compare.Case, o *options) ([]unit, error) {
	var us []unit
	matched := false
	for _, c := range cases {
		if !o.run.MatchString(c.Key()) {
			continue
		}
		matched = true
		if o.quick && !c.Quick {
			continue
		}
		us = append(us, unitsOf(c, o.cpus)...)
	}
	switch {
	case !matched && o.run.String() != "":
		return nil, fmt.Errorf("no case matches -run %q (-list shows them)", o.run)
	case !matched:
		return nil, errors.New("there are no cases")
	case len(us) == 0:
		return nil, fmt.Errorf("no case that matches -run %q is in the -quick run", o.run)
	}
	return us, nil
}

// unitsOf returns the case at each of the GOMAXPROCS values asked for, or at its
// own, or at the machine's.
func unitsOf(c *compare.Case, cpus []int) []unit {
	if cpus == nil {
		cpus = c.CPUs
	}
	if cpus == nil {
		cpus = []int{runtime.GOMAXPROCS(0)}
	}
	us := make([]unit, 0, len(cpus))
	for _, n := range cpus {
		us = append(us, unit{c, n})
	}
	return us
}

// withFloor adds the group of primitives to units, where bars hold one of them
// against a primitive: both must be measured in the same rounds.
func withFloor(us []unit, cases []*compare.Case, o *options, bars []result.Bar) []unit {
	needed := slices.ContainsFunc(us, func(u unit) bool {
		return slices.ContainsFunc(bars, func(b result.Bar) bool { return b.Floor() != "" && b.Matches(u.c.Key(), u.cpus) })
	})
	if !needed {
		return us
	}
	for _, c := range cases {
		if c.Group == result.FloorGroup && !slices.ContainsFunc(us, func(u unit) bool { return u.c == c }) {
			us = append(us, unitsOf(c, o.cpus)...)
		}
	}
	return us
}

// job is one sample to take.
type job struct {
	unit, impl, round int
}

// schedule returns the samples of one round in the order to take them: the units
// shuffled, and the implementations shuffled within each unit, so that drift of
// the machine falls on all alike and a pair is adjacent in time.
func schedule(rng *rand.Rand, us []unit, round int, include func(unit, impl int) bool) []job {
	var jobs []job
	for _, u := range rng.Perm(len(us)) {
		for _, i := range rng.Perm(len(us[u].c.Impls)) {
			if include(u, i) {
				jobs = append(jobs, job{u, i, round})
			}
		}
	}
	return jobs
}
