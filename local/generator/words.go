package generator

import "strconv"

// words are what events are made of. They hold what consumers must carry
// unchanged: several scripts, combining marks, emoji beyond the basic plane,
// quotes, backslashes, line ends and characters that HTML or JavaScript care about.
type words struct {
	places    []place
	platforms []platform
	names     []string
	prefixes  []string // of distinct IDs
	paths     []string
	titles    []string
	custom    []string // event names
	sources   []source
	products  []string
	numbers   []string // JSON numbers
	hostile   []string // JSON strings
	chains    []string // elements_chain
	flags     []string // as property names
	models    []string

	// Of events as large as production's.
	experiments, traits []string // property names
	payloads            []string // long values
}

// source is how a session came to the site.
type source struct{ referrer, domain, utm, medium, campaign string }

func newWords() words {
	return words{
		places:    places(),
		platforms: platforms(),
		names:     []string{"Ada Lovelace", "José Núñez", "Zoë \"Zed\" Król", "山田 太郎", "Олена Шевченко", "أحمد علي", "Siân O'Brien", "नीरज"},
		prefixes:  []string{"user-", "auth0|", "customer:", "Kunde №", "org/7/user/"},
		paths:     []string{"/", "/pricing", "/cart?step=2&ok=true", "/docs/getting-started#install", "/suche?q=gr%C3%BC%C3%9Fe", "/product/42", "/Ærø/søk?q=blåbær"},
		titles:    []string{"Home", "Pricing – Example", "The \"best\" of 2026", "C:\\Temp\\report.txt", "Fünf Größen & <b>mehr</b>", "お買い物かご 🛒", "Sale 🎉👩‍💻", "two\nlines", "e\u0301galite\u0301 \u2028 fin"},
		custom:    []string{"signed up", "checkout completed", "clicked \"Buy\"", "файл загружен", "search", "invite sent 🚀", "video_played", "subscription/renewed"},
		sources:   sources(),
		products:  []string{"Teapot", "Blåbærsyltetøy", "28\" wheel", "Box 10\\12", "抹茶"},
		numbers:   []string{"0", "-0", "1.0", "12.50", "0.1", "0.30000000000000004", "1e-7", "2.5E+10", "9007199254740993", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "123456789012345678901234567890", "1.7976931348623157e308", "5e-324", "1e21"},
		hostile:   []string{`"\ud83d"`, `"ok \ud83d\ude00 then \udc00 alone"`, `"\uDBFF"`, `"a\u0000b"`, `"\u2028\u2029"`, `"{\"json\":\"in \\\"json\\\"\"}"`, `"\\ud83d is no escape"`, `"C:\\new\\table"`, `"\/slash\/"`, `"'; DROP TABLE events; --"`, `""`, `" "`, `"null"`},
		chains:    chains(),
		flags:     []string{"$feature/new-checkout", "$feature/dark-mode", "$feature/pricing-test", "$feature/fast-search", "$feature/beta-editor", "$feature/team-inbox", "$feature/ai-summary", "$feature/eu-banner"},
		models:    []string{"gpt-example", "claude-example", "llama-example"},

		experiments: numbered("$feature/experiment-", 80), traits: numbered("$initial_trait_", 72), payloads: payloads(),
	}
}

// numbered makes n names.
func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = prefix + strconv.Itoa(i)
	}
	return names
}

// payloads are long values, the same for every seed.
func payloads() []string {
	r := newRandom(0, purposeEvent, 0)
	list := make([]string, 50)
	for i := range list {
		list[i] = filler(&r, 900)
	}
	return list
}

func places() []place {
	return []place{
		{"Berlin", "Germany", "DE", "Europe/Berlin"},
		{"São Paulo", "Brazil", "BR", "America/Sao_Paulo"},
		{"Zürich", "Switzerland", "CH", "Europe/Zurich"},
		{"東京", "Japan", "JP", "Asia/Tokyo"},
		{"القاهرة", "Egypt", "EG", "Africa/Cairo"},
		{"Київ", "Ukraine", "UA", "Europe/Kyiv"},
		{"New York", "United States", "US", "America/New_York"},
		{"London", "United Kingdom", "GB", "Europe/London"},
		{"मुंबई", "India", "IN", "Asia/Kolkata"},
	}
}

func platforms() []platform {
	const mozilla = "Mozilla/5.0 (%) AppleWebKit/537.36 (KHTML, like Gecko) "
	return []platform{
		{"Windows", "Chrome", "Desktop", mozilla + "Chrome/126.0.0.0 Safari/537.36"},
		{"Mac OS X", "Safari", "Desktop", mozilla + "Version/17.5 Safari/605.1.15"},
		{"Linux", "Firefox", "Desktop", "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"},
		{"iOS", "Mobile Safari", "Mobile", mozilla + "Version/17.5 Mobile/15E148 Safari/604.1"},
		{"Android", "Chrome", "Mobile", mozilla + "Chrome/126.0.0.0 Mobile Safari/537.36"},
	}
}

func sources() []source {
	direct := source{referrer: "$direct", domain: "$direct"}
	return []source{
		direct, direct, direct,
		{"https://www.google.com/", "www.google.com", "google", "cpc", "spring_sale"},
		{"https://www.google.com/", "www.google.com", "", "", ""},
		{"https://news.ycombinator.com/", "news.ycombinator.com", "", "", ""},
		{"https://t.co/", "t.co", "twitter", "social", "launch 🚀"},
		{"https://mail.example.org/", "mail.example.org", "newsletter", "email", "été & co"},
	}
}

func chains() []string {
	return []string{
		`button.btn.btn-primary:attr__class="btn btn-primary"attr__data-id="42"nth-child="2"nth-of-type="1"text="Add to cart";div.row:attr__class="row"nth-child="1"nth-of-type="1";body:nth-child="2"nth-of-type="1"`,
		`a.link:attr__class="link"attr__href="/pricing?a=1&b=2"href="/pricing?a=1&b=2"nth-child="3"nth-of-type="3"text="See \"pricing\"";nav:nth-child="1"nth-of-type="1"`,
		`span:nth-child="1"nth-of-type="1"text="お買い物かご 🛒";button:attr__type="submit"nth-child="4"nth-of-type="1"`,
		`input:attr__name="path\\to"nth-child="1"nth-of-type="1"`,
	}
}
