package main

import (
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// colours can be told apart by people who see few colours (Okabe and Ito).
var colours = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff},
	color.RGBA{0xe6, 0x9f, 0x00, 0xff},
	color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff},
	color.RGBA{0x56, 0xb4, 0xe9, 0xff},
	color.RGBA{0xd5, 0x5e, 0x00, 0xff},
	color.RGBA{0x80, 0x80, 0x80, 0xff},
	color.RGBA{0x00, 0x00, 0x00, 0xff},
}

// drawPlots draws the cells of the most connections.
func drawPlots(docs string, cells []cell) error {
	connections := 0
	for _, c := range cells {
		connections = max(connections, c.connections)
	}
	cells = slices.DeleteFunc(slices.Clone(cells), func(c cell) bool { return c.connections != connections })
	dir := filepath.Join(docs, "performance")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	plot.DefaultFont.Variant = "Sans"
	ratio, err := ratioPlot(cells)
	if err != nil {
		return err
	}
	ratio.Title.Text = fmt.Sprintf("Requests a second as a share of bare Echo's, %d connections", connections)
	if err := save(filepath.Join(dir, "ratio.svg"), ratio); err != nil {
		return err
	}
	var plots []*plot.Plot
	for _, engine := range values(cells, func(c cell) string { return c.engine }) {
		p, err := cpuPlot(slices.DeleteFunc(slices.Clone(cells), func(c cell) bool { return c.engine != engine }))
		if err != nil {
			return err
		}
		p.Title.Text = fmt.Sprintf("CPU µs a request, %s, %d connections", engine, connections)
		plots = append(plots, p)
	}
	for _, p := range plots { // one scale, to compare
		plots[0].Y.Min, plots[0].Y.Max = min(plots[0].Y.Min, p.Y.Min), max(plots[0].Y.Max, p.Y.Max)
	}
	for _, p := range plots {
		p.Y.Min, p.Y.Max = plots[0].Y.Min, plots[0].Y.Max
	}
	return save(filepath.Join(dir, "cpu.svg"), plots...)
}

// values returns the different values that cells have, in their order.
func values[T comparable](cells []cell, of func(cell) T) (different []T) {
	for _, c := range cells {
		if v := of(c); !slices.Contains(different, v) {
			different = append(different, v)
		}
	}
	return different
}

// ratioPlot has for each operation a bar for each engine and number of links.
func ratioPlot(cells []cell) (*plot.Plot, error) {
	p := plot.New()
	operations := values(cells, func(c cell) string { return c.operation })
	database := func(c cell) string { return c.engine + ", " + thousands(float64(c.links)) + " links" }
	series := values(cells, database)
	width := vg.Points(64 / float64(len(series)))
	for i, name := range series {
		bars := make(plotter.Values, len(operations))
		for _, c := range cells {
			if database(c) == name {
				bars[slices.Index(operations, c.operation)] = c.ratio()
			}
		}
		chart, err := plotter.NewBarChart(bars, width)
		if err != nil {
			return nil, err
		}
		chart.Color, chart.LineStyle.Width = colours[i%len(colours)], 0
		chart.Offset = width * vg.Length(float64(i)-float64(len(series)-1)/2)
		p.Add(chart)
		p.Legend.Add(name, chart)
	}
	p.NominalX(operations...)
	p.Legend.Top, p.Legend.Left = true, true   // on the right a wider font would run into the colours
	p.Y.Min, p.Y.Max = 0, max(1, p.Y.Max)*1.25 // with room for the legend
	ceiling := plotter.NewFunction(func(float64) float64 { return 1 })
	ceiling.Dashes = []vg.Length{vg.Points(4), vg.Points(4)}
	p.Add(ceiling)
	p.Legend.Add("bare Echo", ceiling)
	return p, nil
}

// cpuPlot has a line for each operation, against the number of links.
func cpuPlot(cells []cell) (*plot.Plot, error) {
	p := plot.New()
	p.Add(plotter.NewGrid())
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	p.X.Label.Text = "links"
	var ticks plot.ConstantTicks
	for _, links := range values(cells, func(c cell) int { return c.links }) {
		ticks = append(ticks, plot.Tick{Value: float64(links), Label: thousands(float64(links))})
	}
	p.X.Tick.Marker = ticks
	for i, operation := range values(cells, func(c cell) string { return c.operation }) {
		var points plotter.XYs
		for _, c := range cells {
			if c.operation == operation {
				points = append(points, plotter.XY{X: float64(c.links), Y: max(c.ours.cpu, 1)}) // zero has no logarithm
			}
		}
		slices.SortFunc(points, func(a, b plotter.XY) int { return int(a.X - b.X) })
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = colours[i%len(colours)], vg.Points(1.5)
		dots.Color, dots.Shape = line.Color, draw.CircleGlyph{}
		p.Add(line, dots)
		p.Legend.Add(operation, line, dots)
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
	p.Y.Min, p.Y.Max = p.Y.Min/2, p.Y.Max*20 // with room for the legend
	return p, nil
}

// save draws plots beside each other.
func save(file string, plots ...*plot.Plot) error {
	canvas := vgsvg.New(28*vg.Centimeter, 12*vg.Centimeter)
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadX: vg.Centimeter}
	margin := vg.Points(6)
	inner := draw.Crop(draw.New(canvas), margin, -margin, margin, -margin)
	for i, c := range plot.Align([][]*plot.Plot{plots}, tiles, inner)[0] {
		plots[i].Draw(c)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		return err
	}
	return f.Close()
}
