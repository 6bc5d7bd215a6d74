package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/jetstream/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConfigErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for want, cfg := range map[string]embedded.Config{
		"StoreDir is empty":      {},
		"MaxStore -1 is neg":     {StoreDir: file, MaxStore: -1},
		`Addr "x"`:               {StoreDir: t.TempDir(), Addr: "x"},
		`Addr "127.0.0.1:99999"`: {StoreDir: t.TempDir(), Addr: "127.0.0.1:99999"},
		"StoreDir: mkdir":        {StoreDir: file},
	} {
		_, err := embedded.Start(t.Context(), cfg)
		require.ErrorContains(t, err, "embedded: ")
		require.ErrorContains(t, err, want)
	}
	require.PanicsWithValue(t, "embedded: nil Context", func() {
		var none context.Context
		_, _ = embedded.Start(none, embedded.Config{StoreDir: file})
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	s, err := embedded.Start(ctx, embedded.Config{StoreDir: t.TempDir()})
	if err == nil { // it was up at once
		require.NoError(t, s.Close())
	} else {
		require.ErrorIs(t, err, cause)
	}
}

func TestWithAndWithoutSocket(t *testing.T) {
	for _, addr := range []string{"", "127.0.0.1:0"} {
		s, err := embedded.Start(t.Context(), embedded.Config{StoreDir: t.TempDir(), Addr: addr})
		require.NoError(t, err)
		nc, err := s.Connect()
		require.NoError(t, err)
		require.True(t, nc.IsConnected())
		nc.Close()
		require.Equal(t, addr == "", s.URL() == "")
		if addr != "" {
			nc, err := nats.Connect(s.URL())
			require.NoError(t, err)
			nc.Close()
		}
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
	}
}

func ExampleStart() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	srv, err := embedded.Start(context.Background(), embedded.Config{StoreDir: dir})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	nc, err := srv.Connect()
	if err != nil {
		panic(err)
	}
	defer nc.Close()
	fmt.Println(nc.Status())
	// Output: CONNECTED
}
