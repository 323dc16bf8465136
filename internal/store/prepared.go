package store

import (
	"context"
	"database/sql"
	"sync"
)

// preparer is a database or one of its connections.
type preparer interface {
	querier
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// prepared is a querier that prepares each statement once and keeps it until the database is closed, because the SQLite
// driver otherwise compiles the text anew every time. The texts are this package's own, a few dozen, so what is kept needs
// no bound.
type prepared struct {
	db         preparer
	mu         sync.RWMutex
	statements map[string]*sql.Stmt
}

func newPrepared(db preparer) *prepared {
	return &prepared{db: db, statements: make(map[string]*sql.Stmt)}
}

// statement returns nil when the text cannot be prepared: run as it is, it will say why.
func (p *prepared) statement(ctx context.Context, query string) *sql.Stmt {
	p.mu.RLock()
	stmt := p.statements[query]
	p.mu.RUnlock()
	if stmt != nil {
		return stmt
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if stmt := p.statements[query]; stmt != nil {
		return stmt
	}
	stmt, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	p.statements[query] = stmt
	return stmt
}

func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := p.statement(ctx, query); stmt != nil {
		return stmt.ExecContext(ctx, args...)
	}
	return p.db.ExecContext(ctx, query, args...)
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := p.statement(ctx, query); stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	return p.db.QueryContext(ctx, query, args...)
}

// QueryRowContext looks at ctx before it begins and not again: a row that an index finds is there in microseconds, and
// to watch a context until then takes the driver and database/sql a goroutine each.
func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if ctx.Err() == nil {
		ctx = context.WithoutCancel(ctx)
	}
	if stmt := p.statement(ctx, query); stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return p.db.QueryRowContext(ctx, query, args...)
}
