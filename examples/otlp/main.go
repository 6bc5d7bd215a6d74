// Command otlp takes spans to an OTLP receiver, in batches and without allocating, and
// measures what each of the measures that this is built on is worth today.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk"

	"github.com/poundlock/poundlock/examples/internal/origin"
	"github.com/poundlock/poundlock/examples/otlp/pipeline"
)

type flags struct {
	addr, receive, plot  string
	rounds, spans, batch int
	linger               time.Duration
}

func parse(args []string, out io.Writer) (f flags, err error) {
	set := flag.NewFlagSet("otlp", flag.ContinueOnError)
	set.SetOutput(out)
	set.StringVar(&f.addr, "addr", "", "send to the OTLP receiver at `host:port`, without TLS; default: one of its own")
	set.StringVar(&f.receive, "receive", "", "be a receiver at `host:port`, until the standard input ends")
	set.StringVar(&f.plot, "plot", "", "write a page with plots to `file`")
	set.IntVar(&f.rounds, "rounds", 5, "rounds of a comparison, in which the sides take turns")
	set.IntVar(&f.spans, "spans", 100_000, "spans a round")
	set.IntVar(&f.batch, "batch", 100, "spans a call")
	set.DurationVar(&f.linger, "linger", time.Second, "age at which a span goes in a smaller batch")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	switch {
	case set.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	case f.rounds < 1:
		err = fmt.Errorf("-rounds %d: want at least 1", f.rounds)
	case f.spans < 1000:
		err = fmt.Errorf("-spans %d: want at least 1000", f.spans)
	case f.batch < 1 || f.batch > pending:
		err = fmt.Errorf("-batch %d: want 1 to %d", f.batch, pending)
	case f.linger < time.Millisecond:
		err = fmt.Errorf("-linger %v: want at least 1ms", f.linger)
	}
	return f, err
}

func main() {
	f, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err == nil && f.receive != "":
		err = receive(f.receive, os.Stdin, os.Stdout)
	case err == nil:
		origin.Write(os.Stdout, "otlp", os.Args[1:])
		err = run(f, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "otlp:", err)
		os.Exit(1)
	}
}

func run(f flags, w io.Writer) error {
	addr := f.addr
	if addr == "" {
		child, err := startChild()
		if err != nil {
			return err
		}
		defer child.stop()
		addr = child.addr
	}
	if err := pipeline.Ping(addr); err != nil {
		return err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) // what is lost is counted
	us := func(addr string, l *ledger) (contender, error) { return newOurs(addr, f.batch, f.linger, l) }
	sdks := func(addr string, l *ledger) (contender, error) { return newTheirs(addr, f.linger, l) }

	classic := section{Title: "Classic claims about spans of ten attributes", Before: "without", After: "with"}
	all := claims()
	for _, c := range all {
		tryClaim(c, f.rounds, f.spans)
		classic.Rows = append(classic.Rows, c.rows...)
	}
	batching, err := tryBatching(addr, f.rounds, f.spans)
	if err != nil {
		return err
	}
	classic.Rows = append(classic.Rows, batching...)
	classic.Rows = append(classic.Rows, tryGC(all[0], f.rounds, f.spans, time.Second)...)

	beside := section{Title: "The pipeline beside the OpenTelemetry SDK " + sdk.Version(), Before: "SDK", After: "pipeline"}
	if beside.Rows, err = versus(addr, f.rounds, f.spans, us, sdks); err != nil {
		return err
	}
	wrong, err := faults(us, sdks)
	if err != nil {
		return err
	}
	beside.Rows = append(beside.Rows, wrong...)
	progress("")
	for _, s := range []section{classic, beside} {
		s.print(w)
	}
	if f.plot == "" {
		return nil
	}
	return writePage(f.plot, []section{classic, beside})
}
