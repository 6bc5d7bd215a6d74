package locks_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

func init() {
	misuse := func(name string, f func()) { children["misuse/"+name] = f }
	misuse("RWMutex.Unlock", func() { new(locks.RWMutex).Unlock() })
	misuse("RWMutex.Unlock2", func() { var m locks.RWMutex; m.RLock(); m.Unlock() })
	misuse("RWMutex.Unlock3", func() { var m locks.RWMutex; m.Lock(); m.Unlock(); m.Unlock() })
	misuse("RWMutex.Unlock4", func() { var m locks.RWMutex; locks.EnableBias(&m); m.RLock(); m.Unlock() })
	misuse("RWMutex.RUnlock", func() { new(locks.RWMutex).RUnlock() })
	misuse("RWMutex.RUnlock2", func() { var m locks.RWMutex; m.Lock(); m.RUnlock() })
	misuse("RWMutex.RUnlock3", func() { var m locks.RWMutex; m.RLock(); m.RUnlock(); m.RUnlock() })
	misuse("RWMutex.RUnlock4", func() {
		var m locks.RWMutex
		locks.EnableBias(&m)
		m.RLock()
		m.RUnlock()
		m.RUnlock()
		m.Lock()
	})
	striped := func(rLocks, rUnlocks int) *locks.RWMutex {
		var m locks.RWMutex
		locks.EnableBias(&m)
		for range rLocks {
			m.RLock()
		}
		for range rUnlocks {
			m.RUnlock()
		}
		return &m
	}
	misuse("RWMutex.RUnlock found by TryLock", func() { striped(1, 2).TryLock() })
	misuse("RWMutex.RUnlock found by LockTimeout", func() { striped(1, 2).LockTimeout(1) })
	misuse("RWMutex.RUnlock found by TryUpgrade", func() { striped(1, 2).TryUpgrade() })
	misuse("RWMutex.RUnlock found by TryUpgrade2", func() { striped(1, 1).TryUpgrade() })
	misuse("RWMutex.RUnlock found by Upgrade", func() { striped(1, 2).Upgrade(context.Background()) })
	misuse("RWMutex.RUnlock found by Upgrade2", func() { striped(0, 0).Upgrade(context.Background()) })
	misuse("RWMutex.RUnlock found by SetOptions", func() { striped(1, 2).SetOptions(locks.RWOptions{NoBias: true}) })
	misuse("RWMutex.RUnlock found by a writer that sleeps", func() {
		m := striped(1, 0)
		done := make(chan struct{})
		go func() {
			for m.Stats().Waiting == 0 {
			}
			m.RUnlock()
			m.RUnlock()
			close(done)
		}()
		m.Lock()
		m.Unlock()
		<-done
		m.Lock()
	})
	misuse("RWMutex.Upgrade", func() { new(locks.RWMutex).Upgrade(context.Background()) })
	misuse("RWMutex.Downgrade", func() { new(locks.RWMutex).Downgrade() })
	misuse("RWMutex.Downgrade2", func() { var m locks.RWMutex; m.RLock(); m.Downgrade() })
	misuse("RWMutex.TryUpgrade", func() { new(locks.RWMutex).TryUpgrade() })
	misuse("SpinMutex.Unlock", func() { new(locks.SpinMutex).Unlock() })
	misuse("SpinMutex.Unlock2", func() { var m locks.SpinMutex; m.Lock(); m.Unlock(); m.Unlock() })
	misuse("Held.Unlock", func() { locks.Held[int]{}.Unlock() })
	misuse("Held.Unlock2", func() { h := locks.NewKeyed[int]().Lock(1); h.Unlock(); h.Unlock() })
	misuse("Held.Unlock3", func() { // another holds the key now
		k := locks.NewKeyed[int]()
		h := k.Lock(1)
		h.Unlock()
		k.Lock(1)
		h.Unlock()
	})
	misuse("Held.Unlock4", func() { // while another waits for it
		k := locks.NewKeyed[int]()
		h := k.Lock(1)
		go func() { k.Lock(1) }()
		for k.Stats().WriteParked == 0 {
		}
		h.Unlock()
		h.Unlock()
	})
	misuse("HeldMany.Unlock", func() { h := locks.NewKeyed[int]().LockMany(1, 2); h.Unlock(); h.Unlock() })
	misuse("Held.RUnlock", func() { h := locks.NewKeyed[int]().RLock(1); h.Unlock(); h.Unlock() })
}

func TestMisuseCannotBeRecovered(t *testing.T) {
	for name := range children {
		if !strings.HasPrefix(name, "misuse/") {
			continue
		}
		t.Run(strings.TrimPrefix(name, "misuse/"), func(t *testing.T) {
			t.Parallel()
			out, err := child(t, name)
			require.Error(t, err, out)
			require.Contains(t, out, "fatal error: locks: ")
			require.Contains(t, out, "unlocked")
			require.NotContains(t, out, "PASS")
		})
	}
}

// TestNobodySleepsForFewerReadersThanNone: readers that leave between a writer's look
// and its sleep may be one too many. Nobody would wake the writer then; it has to look
// again, and finds it out.
func TestNobodySleepsForFewerReadersThanNone(t *testing.T) {
	var m locks.RWMutex
	locks.EnableBias(&m)
	m.RLock()
	require.True(t, m.SleepsForReaders())
	m.RUnlock()
	require.False(t, m.SleepsForReaders())
	m.RUnlock()
	require.False(t, m.SleepsForReaders())
}

func TestVetSeesCopies(t *testing.T) {
	if testing.Short() {
		t.Skip("runs go vet")
	}
	dir, err := os.MkdirTemp(".", ".vet")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "copy.go"), []byte(`package copies

import "github.com/poundlock/poundlock/locks"

func rw(l locks.RWMutex)       {}
func spin(l locks.SpinMutex)   {}
func keyed(l locks.Keyed[int]) {}
`), 0o666))
	out, err := exec.Command("go", "vet", "./"+filepath.Base(dir)).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip(err)
	}
	require.Error(t, err)
	require.Equal(t, 3, strings.Count(string(out), "passes lock by value"), "%s", out)
}
