package main

import (
	"fmt"
	"io"
	"strings"
)

const (
	flameWidth   = 1200.0
	flameRow     = 17.0
	flameTop     = 64.0
	flameMargin  = 10.0
	flameChar    = 6.1    // width of a character at most, of a font of size 10
	flameVisible = 0.0008 // a function of a smaller share is not drawn
	legendRow    = 18.0
)

// write draws callers above what they call, as wide as their share. Labels fit their boxes; what does not fit is in the
// title that a browser shows when the picture is opened by itself.
func (f *flame) write(w io.Writer, title, sub string) error {
	top := flameTop + legendRow*float64((len(areas())+2)/3)
	height := top + flameRow*float64(f.depth(f.nanos)) + flameMargin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %[1]g %[2]g" %s font-size="10">`+"\n", flameWidth, height, svgFont)
	fmt.Fprintf(&b, `<rect width="%g" height="%g" fill="#ffffff"/>`+"\n", flameWidth, height)
	svgText(&b, flameMargin, 26, `font-size="17" font-weight="bold"`, title)
	svgText(&b, flameMargin, 46, `font-size="12" fill="`+subduedColor+`"`, sub)
	f.legend(&b)
	f.draw(&b, flameMargin, top, (flameWidth-2*flameMargin)/float64(f.nanos), f.nanos)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// legend names the areas and their shares.
func (f *flame) legend(b *strings.Builder) {
	for i, a := range areas() {
		x, y := flameMargin+float64(i%3)*flameWidth/3, flameTop+float64(i/3)*legendRow
		fmt.Fprintf(b, `<rect x="%g" y="%g" width="12" height="12" fill="%s"/>`+"\n", x, y-4, a.color)
		svgText(b, x+18, y+6, `font-size="12"`, fmt.Sprintf("%.0f %%  %s", 100*float64(f.shares[a.name])/float64(f.nanos), a.name))
	}
}

// depth is how many rows are drawn.
func (f *flame) depth(total int64) (rows int) {
	for _, c := range f.callees {
		if c.visible(total) {
			rows = max(rows, c.depth(total))
		}
	}
	return rows + 1
}

func (f *flame) visible(total int64) bool { return float64(f.nanos) >= flameVisible*float64(total) }

// draw draws a box and those below it; scale is the width of a nanosecond.
func (f *flame) draw(b *strings.Builder, x, y, scale float64, total int64) {
	width := float64(f.nanos) * scale
	a, _ := areaOf(f.name)
	fmt.Fprintf(b, `<g><title>%s: %.1f %%</title><rect x="%.1f" y="%.1f" width="%.1f" height="%.0f" rx="1" fill="%s" stroke="#ffffff" stroke-width="0.5"/>`,
		svgEscape(f.name), 100*float64(f.nanos)/float64(total), x, y, max(width, 0.1), flameRow-1, a.color)
	if label := fitting(short(f.name), int((width-4)/flameChar)); label != "" {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text>`, x+3, y+11.5, svgEscape(label))
	}
	b.WriteString("</g>\n")
	for _, c := range f.callees {
		if c.visible(total) {
			c.draw(b, x, y+flameRow, scale, total)
		}
		x += float64(c.nanos) * scale
	}
}

// short is a function's name without the path of its package and its type arguments.
func short(name string) string {
	name = strings.NewReplacer("[...]", "", "(*", "", ")", "").Replace(name)
	return name[strings.LastIndex(name, "/")+1:]
}

// fitting cuts a label to as many characters; three say nothing.
func fitting(label string, characters int) string {
	switch {
	case characters >= len(label):
		return label
	case characters < 4:
		return ""
	}
	return label[:characters-1] + "…"
}
