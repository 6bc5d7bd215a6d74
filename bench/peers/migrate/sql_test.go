package migrate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/poundlock/poundlock/connpool"
	"github.com/stretchr/testify/require"
)

func sqlBefore(connector driver.Connector) *sql.DB {
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(4)
	db.SetConnMaxIdleTime(time.Minute)
	db.SetConnMaxLifetime(time.Hour)
	return db
}

func sqlAskBefore(ctx context.Context, db *sql.DB, question string) (answer string, err error) {
	err = db.QueryRowContext(ctx, question).Scan(&answer)
	return answer, err
}

func sqlAfter(srv *server) (*connpool.Pool[*session], error) {
	return connpool.New(connpool.Config[*session]{
		Dial:        srv.dial,
		Close:       (*session).Close,
		MaxOpen:     8,
		MaxIdle:     4,
		IdleTimeout: time.Minute,
		MaxLifetime: time.Hour,
		RetryBroken: true, // what database/sql does by itself after driver.ErrBadConn
	})
}

func sqlAskAfter(ctx context.Context, pool *connpool.Pool[*session], question string) (answer string, err error) {
	err = pool.Do(ctx, func(ctx context.Context, s *session) (err error) {
		answer, err = s.ask(ctx, question)
		return err
	})
	return answer, err
}

// The server restarts between two questions: the second is asked on a stale
// connection, and answered on a new one.
func TestSQL(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *server) (func(string) (string, error), func() error){
		"before": func(t *testing.T, srv *server) (func(string) (string, error), func() error) {
			db := sqlBefore(connector{srv})
			return func(q string) (string, error) { return sqlAskBefore(t.Context(), db, q) }, db.Close
		},
		"after": func(t *testing.T, srv *server) (func(string) (string, error), func() error) {
			pool, err := sqlAfter(srv)
			require.NoError(t, err)
			return func(q string) (string, error) { return sqlAskAfter(t.Context(), pool, q) }, pool.Close
		},
	} {
		t.Run(name, func(t *testing.T) {
			var srv server
			ask, closed := open(t, &srv)
			answer, err := ask("a")
			require.NoError(t, err)
			require.Equal(t, "a!", answer)
			srv.restart()
			answer, err = ask("b")
			require.NoError(t, err)
			require.Equal(t, "b!", answer)
			require.NoError(t, closed())
			dials, left := srv.counts()
			require.Equal(t, 2, dials)
			require.Zero(t, left)
		})
	}
}

// connector and sqlConn are a driver for the server.
type connector struct{ srv *server }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	s, err := c.srv.dial(ctx)
	return sqlConn{s}, err
}

func (c connector) Driver() driver.Driver { return nil }

type sqlConn struct{ *session }

var errUnused = errors.New("not in this driver")

func (c sqlConn) Prepare(string) (driver.Stmt, error) { return nil, errUnused }
func (c sqlConn) Begin() (driver.Tx, error)           { return nil, errUnused }

func (c sqlConn) QueryContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	answer, err := c.ask(ctx, query)
	if errors.Is(err, io.EOF) {
		return nil, driver.ErrBadConn
	}
	return &row{answer: answer}, err
}

// row is a result of one row with one column.
type row struct {
	answer string
	read   bool
}

func (r *row) Columns() []string { return []string{"answer"} }
func (r *row) Close() error      { return nil }

func (r *row) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read = true
	dest[0] = r.answer
	return nil
}
