// Command bench compares how many messages a second processes can work off: with
// jetstream's Worker, with the plain loop of nats.go and a goroutine per message,
// with river on PostgreSQL and with asynq on Redis.
//
//	go run . -rounds 3
//
// What is to be worked off is stored first, and each worker is a process of its own.
// nats-server is built and started here; PostgreSQL and Redis are used if
// POUNDLOCK_POSTGRES and POUNDLOCK_REDIS say where they are, as
// connpool/integration/servers.sh start DIR does. Each round runs all systems, one
// after the other, so that ratios are of one time. Every message must be handled
// once, or the run fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	if s := os.Getenv(childVar); s != "" {
		if err := child(s); err != nil {
			log.Fatal(err)
		}
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "rounds, each of all systems")
	flag.IntVar(&o.messages, "messages", 20_000, "messages per run; river and asynq get a quarter")
	flag.DurationVar(&o.task, "task", 0, "how long a handler sleeps")
	flag.IntVar(&o.processes, "processes", 1, "worker processes")
	flag.IntVar(&o.workers, "workers", 0, "handlers that run at a time in a process; 0 means 16 for -task 0, else 500")
	flag.BoolVar(&o.sync, "sync", false, "every server syncs to the disk what it acknowledges; else it survives kill -9, but no power loss")
	flag.StringVar(&o.only, "only", "", "the systems to run, separated by commas; \"\" means all")
	flag.StringVar(&o.profile, "profile", "", "the file for a CPU profile of the last worker process")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		stop()
		log.Fatal(err)
	}
}

// options are the flags.
type options struct {
	rounds, messages, processes, workers int
	task                                 time.Duration
	sync                                 bool
	only, profile                        string
}

// held is how many messages a process of whatever system may have at a time.
const held = 1000

func (o *options) run(ctx context.Context) error {
	if o.rounds < 1 || o.messages < 8 || o.processes < 1 || o.workers < 0 || o.workers > held/2 {
		return fmt.Errorf("-rounds and -processes must be at least 1, -messages 8, -workers from 0 to %d", held/2)
	}
	if o.workers == 0 {
		o.workers = 500
		if o.task == 0 {
			o.workers = 16
		}
	}
	at, stop, err := startServers(ctx, o.sync)
	if err != nil {
		return err
	}
	defer stop()
	var systems []system
	for _, s := range all {
		if s.available(at) && (o.only == "" || slices.Contains(strings.Split(o.only, ","), s.name)) {
			systems = append(systems, s)
		}
	}
	fmt.Printf("%d process(es), handlers of %v, %d at a time in each\n", o.processes, o.task, o.workers)
	rates, stores := map[string][]float64{}, map[string][]float64{}
	for round := range o.rounds {
		for i := range systems {
			s := systems[(i+round)%len(systems)]
			stored, rate, err := o.one(ctx, &s, at)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			rates[s.name] = append(rates[s.name], rate)
			stores[s.name] = append(stores[s.name], stored)
		}
	}
	report(systems, rates, stores)
	return nil
}

// report prints the median rates of each system, and the median over the rounds of how
// many times as fast jetstream worked off.
func report(systems []system, rates, stores map[string][]float64) {
	fmt.Printf("%-21s %9s %12s %28s  %s\n", "system", "stored/s", "worked off/s", "rounds", "an acknowledged message survives; how many times as fast are")
	for _, s := range systems {
		var ratios []string
		for _, own := range s.against {
			var times []float64
			for i, rate := range rates[s.name] {
				if i < len(rates[own]) {
					times = append(times, rates[own][i]/rate)
				}
			}
			if own != s.name && len(times) > 0 {
				ratios = append(ratios, fmt.Sprintf("%s %.2f ×", own, median(times)))
			}
		}
		var each []string
		for _, r := range rates[s.name] {
			each = append(each, fmt.Sprintf("%.0f", r))
		}
		fmt.Printf("%-21s %9.0f %12.0f %28s  %s; %s\n", s.name, median(stores[s.name]), median(rates[s.name]), strings.Join(each, " "), s.durability, strings.Join(ratios, ", "))
	}
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	if len(x) == 0 {
		return 0
	}
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
