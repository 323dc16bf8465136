package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress tells a person at a terminal how far something long is; anyone else is told nothing.
type progress struct {
	w     io.Writer // nil when nobody looks
	verb  string
	total int // 0 when it is not known
	done  int
	began time.Time
	shown time.Time
}

func (p *program) newProgress(verb string, total int) *progress {
	bar := &progress{verb: verb, total: total, began: time.Now()}
	if isTerminal(p.stderr) {
		bar.w = p.stderr
	}
	return bar
}

const (
	barWidth  = 30
	barPause  = 100 * time.Millisecond // between two pictures
	eraseLine = "\r\x1b[K"
)

// step counts one more. What is done in the blink of an eye needs no bar.
func (b *progress) step() {
	b.done++
	now := time.Now()
	if b.w == nil || now.Sub(b.began) < barPause || now.Sub(b.shown) < barPause {
		return
	}
	b.shown = now
	fmt.Fprint(b.w, eraseLine+b.picture())
}

func (b *progress) picture() string {
	if b.total == 0 {
		return fmt.Sprintf("%s %d", b.verb, b.done)
	}
	full := barWidth * b.done / b.total
	return fmt.Sprintf("[%s%s] %s %d of %d", strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), b.verb, b.done, b.total)
}

// end takes the bar away.
func (b *progress) end() {
	if !b.shown.IsZero() {
		fmt.Fprint(b.w, eraseLine)
	}
}
