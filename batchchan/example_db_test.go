package batchchan_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
)

// errCheck is the error of an INSERT with a quantity that is not positive.
var errCheck = errors.New("violates check constraint qty_positive")

// openDB returns a database for the examples, which stands in for a server. It knows
// INSERT INTO table (columns) VALUES (?, ...), ..., all rows or none, and SELECT
// count(*).
func openDB() *sql.DB { return sql.OpenDB(new(exampleDB)) }

type exampleDB struct {
	mu   sync.Mutex
	rows int64
}

func (db *exampleDB) Connect(context.Context) (driver.Conn, error) { return db, nil }
func (db *exampleDB) Driver() driver.Driver                        { return nil }
func (db *exampleDB) Close() error                                 { return nil }

func (db *exampleDB) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }
func (db *exampleDB) Begin() (driver.Tx, error)           { return nil, errors.ErrUnsupported }

func (db *exampleDB) ExecContext(_ context.Context, statement string, args []driver.NamedValue) (driver.Result, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	_, columns, _ := strings.Cut(statement, "(")
	columns, values, ok := strings.Cut(columns, ") VALUES ")
	names := strings.Split(columns, ", ")
	if !ok || strings.Count(values, "?") != len(args) || len(args)%len(names) != 0 {
		return nil, errors.New("syntax error")
	}
	if qty := slices.Index(names, "qty"); qty >= 0 {
		for row := range slices.Chunk(args, len(names)) {
			if row[qty].Value.(int64) <= 0 {
				return nil, errCheck
			}
		}
	}
	n := int64(len(args) / len(names))
	db.rows += n
	return driver.RowsAffected(n), nil
}

func (db *exampleDB) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	return &exampleRows{n: db.rows}, nil
}

type exampleRows struct {
	n    int64
	read bool
}

func (r *exampleRows) Columns() []string { return []string{"count"} }
func (r *exampleRows) Close() error      { return nil }

func (r *exampleRows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read, dest[0] = true, r.n
	return nil
}
