package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// plot is a picture of points, with a line through them.
type plot struct {
	title, sub, x, y string
	points           [][2]float64
}

// Where the plot lies in its picture, which is as wide as a page of GitHub.
const (
	plotWidth, plotHeight   = 760, 400
	plotLeft, plotRight     = 70, plotWidth - 30
	plotTop, plotBottom     = 70, plotHeight - 60
	svgFont                 = `font-family="DejaVu Sans, Verdana, Helvetica, sans-serif"`
	inkColor, gridColor     = "#24292f", "#d8dee4"
	lineColor, subduedColor = "#0969da", "#57606a"
)

// write writes the plot as SVG without scripts or style sheets, for they are not shown in a page that embeds it.
func (p plot) write(w io.Writer) error {
	var maxX, maxY float64
	for _, at := range p.points {
		maxX, maxY = max(maxX, at[0]), max(maxY, at[1])
	}
	stepX, stepY := step(maxX), step(max(maxY, 1)) // a second at least, or noise looks like much
	maxX, maxY = math.Ceil(maxX/stepX)*stepX, math.Ceil(max(maxY, 1)/stepY)*stepY
	px := func(x float64) float64 { return plotLeft + x/maxX*(plotRight-plotLeft) }
	py := func(y float64) float64 { return plotBottom - y/maxY*(plotBottom-plotTop) }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" %s font-size="12">`+"\n", plotWidth, plotHeight, svgFont)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", plotWidth, plotHeight)
	svgText(&b, plotLeft, 28, `font-size="16" font-weight="bold"`, p.title)
	svgText(&b, plotLeft, 48, `fill="`+subduedColor+`"`, p.sub)
	for y := 0.0; y <= maxY+stepY/2; y += stepY {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="%s"/>`+"\n", plotLeft, py(y), plotRight, gridColor)
		svgText(&b, plotLeft-8, py(y)+4, `text-anchor="end"`, fmt.Sprintf("%.4g", y))
	}
	for x := 0.0; x <= maxX+stepX/2; x += stepX {
		fmt.Fprintf(&b, `<path d="M%.1f %dv5" stroke="%s"/>`+"\n", px(x), plotBottom, inkColor)
		svgText(&b, px(x), plotBottom+19, `text-anchor="middle"`, fmt.Sprintf("%.4g", x))
	}
	svgText(&b, (plotLeft+plotRight)/2, plotHeight-16, `text-anchor="middle" fill="`+subduedColor+`"`, p.x)
	svgText(&b, 0, 0, fmt.Sprintf(`text-anchor="middle" fill="%s" transform="translate(22 %d) rotate(-90)"`, subduedColor, (plotTop+plotBottom)/2), p.y)
	var line []string
	for _, at := range p.points {
		line = append(line, fmt.Sprintf("%.1f,%.1f", px(at[0]), py(at[1])))
	}
	fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(line, " "), lineColor)
	for _, at := range p.points {
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", px(at[0]), py(at[1]), lineColor)
		svgText(&b, px(at[0]), py(at[1])-10, `text-anchor="middle"`, fmt.Sprintf("%.2f", at[1]))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// step is the distance of grid lines, of which there shall be four to ten: 1, 2 or 5 times a power of ten.
func step(largest float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(largest/4)))
	for _, times := range []float64{5, 2} {
		if largest/(times*power) >= 4 {
			return times * power
		}
	}
	return power
}

// svgText writes text with its baseline at y.
func svgText(b *strings.Builder, x, y float64, attributes, text string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" %s>%s</text>`+"\n", x, y, attributes, svgEscape(text))
}

func svgEscape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(text)
}
