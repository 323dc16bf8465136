package pages

import (
	"bytes"
	"embed"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

//go:embed languages/*.json
var languageFiles embed.FS

// languages are those that pages speak. The first is for people who understand none of them.
var languages = []language.Tag{
	language.English, language.German, language.French, language.Spanish, language.Portuguese, language.Japanese,
}

// matcher finds the language for what a visitor prefers. Like the words it is made when the first page needs it: commands that show
// none start without it.
var matcher = sync.OnceValue(func() language.Matcher { return language.NewMatcher(languages) })

// words returns what people read, by language and key. {persona} and {site} stand for names, {n} and {label} for what the page's script
// puts there.
var words = sync.OnceValue(func() map[string]map[string]string {
	words := map[string]map[string]string{}
	for _, tag := range languages {
		file, err := languageFiles.ReadFile("languages/" + tag.String() + ".json")
		if err != nil {
			panic(err) // it is embedded
		}
		catalog := map[string]string{}
		if err := json.Unmarshal(file, &catalog); err != nil {
			panic(tag.String() + ".json: " + err.Error())
		}
		words[tag.String()] = catalog
	}
	return words
})

// maxAcceptLanguage is the longest Accept-Language that is read, in bytes. Browsers send less than a hundred.
const maxAcceptLanguage = 256

// languageOf returns the language for a request: that of its parameter lang, else the first that the browser prefers and pages speak.
func languageOf(r *http.Request) string {
	var preferred []language.Tag
	if tag, err := language.Parse(parameterOf(r, "lang")); err == nil {
		preferred = append(preferred, tag)
	}
	if header := r.Header.Get("Accept-Language"); len(header) <= maxAcceptLanguage {
		tags, _, _ := language.ParseAcceptLanguage(header) // what is not understood is no preference
		preferred = append(preferred, tags...)
	}
	_, i, _ := matcher().Match(preferred...)
	return languages[i].String()
}

// T returns words in the language of the page.
func (v linkView) T(key string) string {
	text, ok := words()[v.Language][key]
	if !ok {
		panic("no words for " + key)
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "{persona}", v.Persona), "{site}", v.Site)
}

// withWords puts the words of the orb into its script.
func withWords(script []byte) []byte {
	orb := map[string]map[string]string{}
	for tag, catalog := range words() {
		orb[tag] = map[string]string{"orb": catalog["orb"], "close": catalog["close"]}
	}
	table, err := json.Marshal(orb)
	if err != nil {
		panic(err) // texts can be marshalled
	}
	return bytes.Replace(script, []byte("LANGUAGES"), table, 1)
}
