package main

import (
	"log"
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if s := os.Getenv(childVar); s != "" {
		if err := child(s); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

// Every message is handled, by two processes, in each system whose server is there.
func TestEverySystemDoesTheWork(t *testing.T) {
	o := options{rounds: 1, messages: 400, processes: 2, task: time.Millisecond}
	if err := o.run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
