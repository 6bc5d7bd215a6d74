// Command shop is a web shop on poundlock's packages, its plain twin, and the load that
// compares them. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/load"
	"github.com/poundlock/poundlock/examples/shop/internal/service"
)

// options are the flags.
type options struct {
	addr, debug, cert, key          string
	postgres, redis, payment, queue string
	products, stock                 int
	write                           service.Policy
	hold, jobWait                   time.Duration
	audit, captures, mails          string
	plain, memory, bare             bool

	load     bool
	mix      string
	rates    string
	duration time.Duration
	rounds   int
	plot     string
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("shop", flag.ContinueOnError)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`address` for customers; HTTP/1.1 and HTTP/2")
	f.StringVar(&o.debug, "debug", "127.0.0.1:6060", "`address` of the debug page and the metrics")
	f.StringVar(&o.cert, "cert", "", "TLS certificate `file`")
	f.StringVar(&o.key, "key", "", "TLS key `file`")
	f.StringVar(&o.postgres, "postgres", os.Getenv("POUNDLOCK_POSTGRES"), "`URL` of the database; empty: kept in memory")
	f.StringVar(&o.redis, "redis", os.Getenv("POUNDLOCK_REDIS"), "`addresses` of Redis, with commas; empty: two in this process")
	f.StringVar(&o.payment, "payment", "", "`URL` of the payment service; empty: one in this process")
	f.StringVar(&o.queue, "queue", os.Getenv("POUNDLOCK_NATS"), "`URL` of NATS with JetStream, which keeps the shop's jobs, such as nats://localhost:4222; empty: they are kept in this process and end with it; -plain and -load do without")
	f.IntVar(&o.products, "products", 10_000, "sample products to have")
	f.IntVar(&o.stock, "stock", 1_000_000, "pieces of each")
	o.write = service.Through
	f.TextVar(&o.write, "write", o.write, "changes of products go `through`, around or back through the cache")
	f.DurationVar(&o.hold, "hold", 30*time.Second, "how long goods stay reserved for an order that does not come")
	f.DurationVar(&o.jobWait, "jobwait", 30*time.Second, "-queue: a process that is silent for so long loses its jobs to others")
	f.StringVar(&o.mails, "mails", "", "`file` that gets the mails which confirm orders; empty: nobody gets them")
	f.StringVar(&o.audit, "audit", "", "`file` of the audit log")
	f.StringVar(&o.captures, "captures", "", "`directory` for profiles taken when a rule is broken")
	f.BoolVar(&o.plain, "plain", false, "serve the plain twin")
	f.BoolVar(&o.memory, "memory", false, "the plain twin keeps products in memory, too")
	f.BoolVar(&o.bare, "bare", false, "serve fixed answers: what HTTP alone costs")
	f.BoolVar(&o.load, "load", false, "compare both under load, each in a process of its own")
	f.StringVar(&o.mix, "mix", "hot,cold,orders", "-load: which `mixes` of requests")
	f.StringVar(&o.rates, "rates", "500,1000,2000,4000", "-load: requests per second, rising")
	f.DurationVar(&o.duration, "duration", 3*time.Second, "-load: of each round")
	f.IntVar(&o.rounds, "rounds", 5, "-load: of each twin at each rate, in turns; figures are medians")
	f.StringVar(&o.plot, "plot", "", "-load: `file` for a page with plots")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	if o.rounds < 1 || o.duration <= 0 {
		return o, errors.New("rounds and duration: above 0")
	}
	return o, nil
}

func (o *options) redisAddrs() []string {
	return strings.FieldsFunc(o.redis, func(r rune) bool { return r == ',' })
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// run does what the arguments say until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.load {
		return compare(ctx, o, out)
	}
	return serve(ctx, o, out)
}

func compare(ctx context.Context, o options, out io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if o.postgres != "" {
		if err := seed(ctx, o); err != nil {
			return err
		}
	}
	return load.Run(ctx, load.Config{
		Exe: exe, Args: []string{
			"-postgres", o.postgres, "-redis", o.redis, "-queue", "",
			"-products", fmt.Sprint(o.products), "-stock", fmt.Sprint(o.stock), "-write", string(o.write),
		},
		Real: o.postgres != "" && o.redis != "", Redis: o.redisAddrs(), Products: int64(o.products),
		Mixes: strings.Split(o.mix, ","), Rates: o.rates, Duration: o.duration, Rounds: o.rounds, Plot: o.plot,
	}, out)
}
