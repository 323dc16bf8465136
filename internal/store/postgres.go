package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	postgresConnectTimeout  = 5 * time.Second  // unless the URL says otherwise
	postgresTimeout         = 10 * time.Second // of what somebody waits for, once it has begun
	postgresWriteTimeout    = 30 * time.Second // of a write that nobody waits for
	postgresRollbackTimeout = 5 * time.Second
	postgresGrace           = 100 * time.Millisecond // that the server gives a read after the end of its time
	postgresIdleTimeout     = "15s"                  // of a transaction of which the database hears no more
	postgresTries           = 5                      // of a write that lost against another
	postgresWorkers         = 2                      // batches at a time: while one waits for the database the next is made
)

// postgres is the engine of a PostgreSQL database: a pool of connections, all of which may write.
type postgres struct {
	pool   *pgxpool.Pool
	writer *batcher // of creates and opens
	finder *batcher
	store  *Store
}

func openPostgres(ctx context.Context, databaseURL string, s *Store) error {
	config, err := postgresConfig(databaseURL)
	if err != nil {
		return err
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = postgresConnectTimeout
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "sharelinks"
	}
	config.MaxConns = int32(s.options.Connections)
	config.MaxConnIdleTime = 5 * time.Minute
	config.MaxConnLifetime = 30 * time.Minute // so that load moves to where a failover or a balancer wants it
	config.AfterConnect = boundIdleTransactions
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("open the PostgreSQL database: %w", err)
	}
	if !strings.Contains(databaseURL, "default_query_exec_mode=") {
		if pool, err = unprepared(ctx, pool, s.options.Logger); err != nil {
			return fmt.Errorf("open the PostgreSQL database: %w", err)
		}
	}
	if err := migratePostgres(ctx, pool); err != nil {
		pool.Close()
		return fmt.Errorf("open the PostgreSQL database: %w", err)
	}
	e := &postgres{pool: pool, store: s}
	e.writer = startBatcher(postgresWorkers, s.options.Queue, e.commit)
	e.finder = startBatcher(postgresWorkers, s.options.Queue, e.findAll)
	s.reading, s.changing, s.sharing = newTurns(s.options.Connections/4), newTurns(s.options.Connections/4), newTurns(s.options.Queue/2)
	s.engine, s.locks = e, locks{forUpdate: " FOR UPDATE", forShare: " FOR KEY SHARE"}
	return nil
}

// boundIdleTransactions has PostgreSQL end a transaction of which it hears no more: when the network swallows what is sent, its
// locks would stay for hours. A pooler's session, which others may use, is left as it is.
func boundIdleTransactions(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SELECT set_config('idle_in_transaction_session_timeout', $1, FALSE) WHERE pg_backend_pid()::BIGINT = $2",
		pgx.QueryExecModeExec, postgresIdleTimeout, int64(c.PgConn().PID()))
	return err
}

// unprepared returns the pool, or, when there is a pooler between it and the server, another that prepares no statements: a
// pooler may run the next transaction on another session, which does not have them. What tells is the number of the server's
// process: a pooler makes up one of its own for the connection.
func unprepared(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) (*pgxpool.Pool, error) {
	var server, told uint32
	err := pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		told = c.Conn().PgConn().PID()
		return c.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&server)
	})
	if err == nil && server == told {
		return pool, nil
	}
	pool.Close()
	if err != nil {
		return nil, err
	}
	logger.Info("a pooler such as PgBouncer is in front of PostgreSQL, so no statements are prepared; default_query_exec_mode=cache_statement in the database URL prepares them")
	config := pool.Config()
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	return pgxpool.NewWithConfig(ctx, config)
}

// ping finds out whether the database can be written: a primary that became a standby can still be read.
func (e *postgres) ping(ctx context.Context) error {
	var readOnly string
	err := e.find(ctx, &statement{sql: "SELECT current_setting('transaction_read_only') FROM first_start", row: func(r scanner) error { return r.Scan(&readOnly) }})
	if err == nil && readOnly == "on" {
		return e.forget(errReadOnly)
	}
	return err
}

// forget throws all connections away when an error says that new ones may lead to a database that answers: the old ones lead to a
// primary that became a standby, or to nowhere. It returns the error.
func (e *postgres) forget(err error) error {
	if errors.Is(err, errLate) || errors.Is(err, errReadOnly) || sqlState(err) == "25006" {
		e.pool.Reset()
	}
	return err
}

func (e *postgres) find(ctx context.Context, query *statement) error {
	return e.finder.do(ctx, &job{find: query})
}

// findAll sends queries in one message.
func (e *postgres) findAll(batch []*job) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), postgresTimeout, errLate)
	defer cancel()
	together(batch, func(batch []*job) error {
		queries := make([]*statement, len(batch))
		for i, j := range batch {
			queries[i] = j.find
		}
		return e.forget(late(ctx, send(ctx, e.pool, queries)))
	})
}

func (e *postgres) read(ctx context.Context, fn func(ctx context.Context, q querier) error) error {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	begin := []*statement{{sql: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}}
	if deadline, ok := ctx.Deadline(); ok {
		// Or the server would go on after the end of ctx, which only ends the connection. It stops later than ctx ends: whose time
		// is up is told by ctx.
		timeout := max(time.Until(deadline), 0) + postgresGrace
		begin = append(begin, &statement{
			sql: "SELECT set_config('statement_timeout', $1, TRUE)", args: []any{strconv.FormatInt(timeout.Milliseconds(), 10)},
		})
	}
	return transact(ctx, conn, begin, fn)
}

// write runs a create or an open together with those that wait, and any other job in a transaction of its own: what it
// locks while it goes to and fro should keep no other waiting.
func (e *postgres) write(ctx context.Context, j *job) error {
	if j.do == nil {
		return e.writer.do(ctx, j)
	}
	return e.transaction(ctx, []*job{j})
}

// commit runs a batch in one transaction.
func (e *postgres) commit(batch []*job) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), postgresTimeout, errLate)
	defer cancel()
	together(batch, func(batch []*job) error { return e.transaction(ctx, batch) })
	e.store.options.ObserveBatch(len(batch))
}

// together does a batch and sets the err of each job. When it fails, though the database answers, each job is done by itself,
// so that the failure of one is its own.
func together(batch []*job, do func(batch []*job) error) {
	err := do(batch)
	for i, j := range batch {
		if j.err = err; err != nil && len(batch) > 1 && !unavailable(err) {
			j.err = do(batch[i : i+1])
		}
	}
}

// transaction runs a batch in a transaction, READ COMMITTED, again when it lost a race. The end of ctx has a say until it has
// begun. From then on it takes no longer than somebody waits, if ctx has a deadline.
func (e *postgres) transaction(ctx context.Context, batch []*job) error {
	timeout := postgresWriteTimeout
	if _, awaited := ctx.Deadline(); awaited {
		timeout = postgresTimeout
	}
	deadline := time.Now().Add(timeout)
	acquiring, cancel := context.WithDeadlineCause(ctx, deadline, errLate)
	defer cancel()
	conn, err := e.pool.Acquire(acquiring)
	if err != nil {
		return e.forget(late(acquiring, err))
	}
	defer conn.Release()
	ctx, cancel = context.WithDeadlineCause(context.WithoutCancel(ctx), deadline, errLate)
	defer cancel()
	for try := 1; ; try++ {
		err := transact(ctx, conn, []*statement{{sql: "BEGIN"}}, func(ctx context.Context, tx querier) error { return e.store.perform(ctx, tx, batch) })
		if err == nil || ctx.Err() != nil || try == postgresTries || !lostRace(err) {
			return e.forget(late(ctx, err))
		}
	}
}

// late makes an error that came with the end of the store's own time an errLate.
func late(ctx context.Context, err error) error {
	if err != nil && context.Cause(ctx) == errLate {
		return fmt.Errorf("%w (%v)", errLate, err)
	}
	return err
}

func (e *postgres) close() error {
	e.writer.stop()
	e.finder.stop()
	e.pool.Close()
	return nil
}

// lostRace tells whether a transaction failed only because another one was faster: a serialization failure or a deadlock.
func lostRace(err error) bool {
	state := sqlState(err)
	return state == "40001" || state == "40P01"
}

// transact runs fn in a transaction on the connection. The statements that begin it go with fn's first message.
func transact(ctx context.Context, conn *pgxpool.Conn, begin []*statement, fn func(ctx context.Context, tx querier) error) error {
	tx := &postgresTransaction{conn: conn, waiting: begin}
	err := fn(ctx, tx)
	if err == nil {
		err = tx.run(ctx, &statement{sql: "COMMIT"})
	}
	if err != nil && tx.begun && !conn.Conn().IsClosed() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), postgresRollbackTimeout)
		defer cancel()
		_, rollbackErr := conn.Exec(ctx, "ROLLBACK")
		err = errors.Join(err, rollbackErr)
	}
	return err
}

// postgresTransaction is a querier for a transaction on one connection.
type postgresTransaction struct {
	conn    *pgxpool.Conn
	waiting []*statement
	begun   bool
}

func (t *postgresTransaction) run(ctx context.Context, statements ...*statement) error {
	statements = append(t.waiting, statements...)
	t.waiting, t.begun = nil, true
	return send(ctx, t.conn, statements)
}

func (t *postgresTransaction) later(_ context.Context, statements ...*statement) error {
	t.waiting = append(t.waiting, statements...)
	return nil
}

// postgresReader is a querier that runs what it gets on any connection of the pool.
type postgresReader struct{ pool *pgxpool.Pool }

func (r postgresReader) run(ctx context.Context, statements ...*statement) error {
	return send(ctx, r.pool, statements)
}

func (r postgresReader) later(ctx context.Context, statements ...*statement) error {
	return r.run(ctx, statements...)
}

// sender is a connection or a pool of them.
type sender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// send sends the statements in one message and reads their answers. The error is that of the first that failed.
func send(ctx context.Context, to sender, statements []*statement) error {
	if len(statements) == 0 {
		return nil
	}
	var batch pgx.Batch
	for _, s := range statements {
		args := make([]any, len(s.args))
		for i, a := range s.args {
			args[i] = plain(a)
		}
		batch.Queue(s.sql, args...)
	}
	results := to.SendBatch(ctx, &batch)
	for _, s := range statements {
		if err := receive(results, s); err != nil {
			_ = results.Close() // it says the same
			return explained(err, s)
		}
	}
	return results.Close()
}

func receive(results pgx.BatchResults, s *statement) error {
	if s.row == nil {
		tag, err := results.Exec()
		s.affected = int(tag.RowsAffected())
		return err
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for s.affected = 0; rows.Next(); s.affected++ {
		if err := s.row(postgresRow{rows}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// postgresRow is a row of an answer.
type postgresRow struct{ pgx.Rows }

// Scan implements scanner.
func (r postgresRow) Scan(into ...any) error {
	for i, v := range into {
		into[i] = plain(v)
	}
	return r.Rows.Scan(into...)
}

// plain turns an id into what pgx reads and writes as it is sent, and not as text.
func plain(v any) any {
	switch v := v.(type) {
	case uuid.UUID:
		return [16]byte(v)
	case *uuid.UUID:
		return (*[16]byte)(v)
	}
	return v
}
