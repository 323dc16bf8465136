package server

import (
	"cmp"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// metrics are what /metrics shows. Labels have few values, whatever is asked for: never a path, an id or a token.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	store    *prometheus.HistogramVec
	batch    prometheus.Histogram
	log      prometheus.Gauge
	opens    *prometheus.CounterVec
}

func newMetrics(version string) *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	add := promauto.With(registry)
	seconds := []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	add.NewGauge(prometheus.GaugeOpts{
		Name: "sharelinks_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": cmp.Or(version, "dev"), "go": runtime.Version()},
	}).Set(1)
	return &metrics{
		registry: registry,
		requests: add.NewCounterVec(prometheus.CounterOpts{
			Name: "sharelinks_requests_total", Help: "Requests answered, by operation and HTTP status.",
		}, []string{"operation", "status"}),
		latency: add.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sharelinks_request_duration_seconds", Help: "Time from the request's head to the end of the response, by operation.", Buckets: seconds,
		}, []string{"operation"}),
		store: add.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sharelinks_store_duration_seconds", Help: "Time that the store took, waiting included, by operation of the store.", Buckets: seconds,
		}, []string{"operation"}),
		opens: add.NewCounterVec(prometheus.CounterOpts{
			Name: "sharelinks_opens_total", Help: "Attempts to open a link that exists, by outcome.",
		}, []string{"outcome"}),
		batch: add.NewHistogram(prometheus.HistogramOpts{
			Name: "sharelinks_store_batch_writes", Help: "Writes that shared one durable commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		log: add.NewGauge(prometheus.GaugeOpts{
			Name: "sharelinks_sqlite_log_bytes", Help: "Size of SQLite's write-ahead log after the last commit; 0 on PostgreSQL.",
		}),
	}
}

// showExpiry adds when the certificate expires. To look at it is to notice a new one.
func (m *metrics) showExpiry(c *certificate) {
	promauto.With(m.registry).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sharelinks_tls_certificate_expiry_seconds", Help: "When the TLS certificate in use expires, in seconds since 1970.",
	}, func() float64 { return float64(c.current().Leaf.NotAfter.Unix()) })
}

func (m *metrics) request(operation string, status int, elapsed time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.latency.WithLabelValues(operation).Observe(elapsed.Seconds())
}

func (m *metrics) stored(operation string, elapsed time.Duration) {
	m.store.WithLabelValues(operation).Observe(elapsed.Seconds())
}

func (m *metrics) batched(writes int) { m.batch.Observe(float64(writes)) }

func (m *metrics) logged(bytes int64) { m.log.Set(float64(bytes)) }

func (m *metrics) opened(outcome sharelink.Outcome) { m.opens.WithLabelValues(string(outcome)).Inc() }
