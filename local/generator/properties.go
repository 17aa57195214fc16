package generator

import (
	"strconv"
	"strings"
	"time"
)

// number appends a decimal number, in whatever is being written.
func (w *writer) number(n int) { w.buf = strconv.AppendInt(w.buf, int64(n), 10) }

// float writes a number with the given digits after the point, or with as many
// as it takes if negative.
func (w *writer) float(key string, f float64, digits int) {
	w.key(key)
	w.buf = strconv.AppendFloat(w.buf, f, 'f', digits, 64)
}

// writeProperties writes the member properties, a string with JSON inside.
func (g *Generator) writeProperties(w *writer, e *event, at time.Time) {
	r := e.random
	mark := w.nested("properties")
	g.writeCommon(w, e, at, &r)
	switch e.name {
	case "$autocapture":
		w.str("$event_type", pick(&r, []string{"click", "change", "submit"}))
	case "$identify", "$set":
		e.writeSets(w, g, &r)
	case "$feature_flag_called":
		w.str("$feature_flag", strings.TrimPrefix(pick(&r, g.words.flags), "$feature/"))
		w.raw("$feature_flag_response", pick(&r, []string{"true", "false", `"control"`, `"test"`, "null"}))
	case "$ai_generation":
		writeAI(w, g, &r)
	case "$exception":
		w.raw("$exception_list", `[{"type":"TypeError","value":"Cannot read \"x\" of undefined","mechanism":{"handled":false},"stacktrace":{"frames":[{"filename":"C:\\app\\index.js","lineno":12,"colno":3}]}}]`)
	case "$pageleave":
		w.float("$prev_pageview_duration", r.unit()*100, 3)
	case "$pageview":
		if r.oneIn(3) {
			e.writeSetOnce(w, g, &r)
		}
	default:
		writeCustom(w, g, &r)
	}
	g.writeOdd(w, &r)
	if g.cfg.Profile != ProfileSmall {
		g.writeLarge(w, e, &r)
	}
	if g.cfg.Profile == ProfileProduction {
		writeMany(w, g, &r, g.words.experiments)
		w.str("$feature_flag_payload", pick(&r, g.words.payloads))
	}
	if e.padding > 0 {
		w.str("payload", filler(&r, e.padding))
	}
	w.endNested(mark)
}

// writeCommon writes what every event of the web library has.
func (g *Generator) writeCommon(w *writer, e *event, at time.Time, r *random) {
	p := &e.person
	session, window, sessionRandom := g.session(p, at)
	source := pick(&sessionRandom, g.words.sources)
	if !r.oneIn(50) { // a server-side event has no address
		w.key("$ip")
		w.buf = append(w.buf, '"')
		for i, b := range p.ip {
			if i > 0 {
				w.buf = append(w.buf, '.')
			}
			w.number(int(b))
		}
		w.buf = append(w.buf, '"')
	}
	path := pick(r, g.words.paths)
	w.key("$current_url")
	w.buf = append(w.buf, `"https://team`...)
	w.number(e.team)
	w.buf = append(w.buf, ".example.com"...)
	w.text(path)
	w.buf = append(w.buf, '"')
	w.str("$pathname", path)
	w.uuid("$session_id", session)
	w.uuid("$window_id", window)
	w.str("$os", p.platform.os)
	w.str("$browser", p.platform.browser)
	w.int("$browser_version", int64(p.version))
	w.str("$referring_domain", source.domain)
	if source.utm != "" {
		w.str("utm_source", source.utm)
		w.str("utm_medium", source.medium)
		w.str("utm_campaign", source.campaign)
	}
	w.str("title", pick(r, g.words.titles))
	w.str("$geoip_city_name", p.place.city)
	w.str("$lib", "web")
}

// writeSets writes $set and $set_once, as identification does.
func (e *event) writeSets(w *writer, g *Generator, r *random) {
	w.object("$set")
	if !r.oneIn(20) { // an empty object is still an object
		e.person.writeEmail(w, "email")
		w.str("name", e.person.name)
		w.str("plan", e.person.plan)
		w.raw("credits", pick(r, g.words.numbers))
	}
	w.close()
	e.writeSetOnce(w, g, r)
	w.uuid("$anon_distinct_id", e.person.anonymous)
}

func (e *event) writeSetOnce(w *writer, g *Generator, r *random) {
	w.object("$set_once")
	w.str("$initial_os", e.person.platform.os)
	w.str("$initial_city", e.person.place.city)
	if r.oneIn(10) {
		w.raw("note", pick(r, g.words.hostile))
	}
	w.close()
}

// writeAI writes a traced model call, whose texts hold line ends.
func writeAI(w *writer, g *Generator, r *random) {
	w.str("$ai_model", pick(r, g.words.models))
	w.int("$ai_input_tokens", int64(r.below(8000)))
	w.int("$ai_output_tokens", int64(r.below(2000)))
	w.float("$ai_latency", r.unit()*10, -1)
	w.raw("$ai_input", `[{"role":"user","content":"Summarise:\n\t\"tides\""}]`)
}

// writeCustom writes what an application's own event has.
func writeCustom(w *writer, g *Generator, r *random) {
	w.str("product", pick(r, g.words.products))
	w.raw("price", pick(r, g.words.numbers))
	w.int("quantity", int64(r.below(9)))
	w.raw("express", pick(r, []string{"true", "false", "null"}))
	w.raw("tags", pick(r, []string{`[]`, `["a","b \"c\""]`, `[1,2.0,[null,{"deep":[{}]}]]`}))
}

// writeOdd adds, now and then, a value that is easily damaged.
func (g *Generator) writeOdd(w *writer, r *random) {
	if r.oneIn(50) {
		w.raw("odd_text", pick(r, g.words.hostile))
	}
	if r.oneIn(50) {
		w.raw("odd_number", pick(r, g.words.numbers))
	}
	if r.oneIn(100) {
		w.str("number_as_text", pick(r, g.words.numbers))
	}
}

// writeMany adds a property of every name.
func writeMany(w *writer, g *Generator, r *random, names []string) {
	for _, name := range names {
		w.str(name, pick(r, g.words.products))
	}
}

// writeLarge adds about 1.5 KB: the user agent, flags and super properties.
func (g *Generator) writeLarge(w *writer, e *event, r *random) {
	p := &e.person
	w.str("$raw_user_agent", p.platform.agent)
	w.str("$device_type", p.platform.device)
	w.str("$geoip_country_name", p.place.country)
	w.str("$geoip_time_zone", p.place.zone)
	w.uuid("$device_id", p.anonymous)
	w.uuid("$pageview_id", newUUIDv7(r, e.captured))
	p.writeDistinctID(w, "$user_id")
	w.int("$screen_height", 1080)
	w.int("$screen_width", 1920)
	w.int("$viewport_height", int64(600+r.below(400)))
	w.int("$viewport_width", int64(900+r.below(900)))
	for _, flag := range g.words.flags {
		w.raw(flag, pick(r, []string{"true", "false", `"control"`, `"test"`}))
	}
	w.raw("$active_feature_flags", `["new-checkout","dark-mode","pricing-test","fast-search","beta-editor"]`)
	w.raw("$sdk_debug", `{"replay":{"status":"active","buffer":12,"flushed":true},"queue":[0,1,1,2,3,5,8],"retry":null}`)
	w.raw("$web_vitals", `{"LCP":1234.5,"FCP":456.25,"CLS":0.012,"INP":88}`)
	w.raw("$sdk_config", `{"autocapture":true,"capture_pageleave":"if_capture_pageview","persistence":"localStorage+cookie","session_idle_timeout_seconds":1800,"mask_all_text":false}`)
	w.object("$initial_person_info")
	w.str("u", "https://www.example.com/pricing?utm_source=google&utm_campaign=spring_sale")
	w.str("r", "https://www.google.com/")
	w.close()
}
