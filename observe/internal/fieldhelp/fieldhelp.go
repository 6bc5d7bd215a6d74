// Package fieldhelp reads the comments of struct fields out of the packages'
// source.
package fieldhelp

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Dirs are the directories of the packages that are read.
var Dirs = []string{
	"workerpool", "batchchan", "locks", "lockfree", "objpool", "connpool", "connpool/health",
	"observe", "observe/httpstats", "jetstream",
}

// Read returns the comment of each exported field of the exported structs whose
// name ends in Stats, and of the structs that these have as fields, as one sentence.
// The keys are such as "workerpool.Stats.Submitted".
func Read(root fs.FS) (map[string]string, error) {
	help := map[string]string{}
	for _, dir := range Dirs {
		files, err := fs.Glob(root, dir+"/*.go")
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("no source in %s", dir)
		}
		structs := map[string]*ast.StructType{}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := fs.ReadFile(root, name)
			if err != nil {
				return nil, err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path.Base(name), text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			collect(f, structs)
		}
		for name := range structs {
			if strings.HasSuffix(name, "Stats") {
				read(help, dir, name, structs)
			}
		}
	}
	return help, nil
}

func collect(f *ast.File, structs map[string]*ast.StructType) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() {
				if st, ok := ts.Type.(*ast.StructType); ok {
					structs[ts.Name.Name] = st
				}
			}
		}
	}
}

// read adds the fields of a struct, and of the structs in it. The comment above a
// field also serves those that follow it without one of their own.
func read(help map[string]string, dir, name string, structs map[string]*ast.StructType) {
	above := ""
	last := token.NoPos
	for _, f := range structs[name].Fields.List {
		text := f.Comment.Text()
		switch {
		case f.Doc.Text() != "":
			above = f.Doc.Text()
			if text == "" {
				text = above
			}
		case text != "":
			above = ""
		case f.Pos() > last+4: // a blank line before: what stood above is over
			above = ""
		default:
			text = above
		}
		last = f.End()
		for _, id := range f.Names {
			if t := Sentence(about(id.Name, text)); t != "" && id.IsExported() {
				help[dir+"."+name+"."+id.Name] = t
			}
		}
		if id, ok := f.Type.(*ast.Ident); ok && structs[id.Name] != nil && id.Name != name {
			read(help, dir, id.Name, structs)
		}
	}
}

// about returns a comment from the sentence on that begins with the name of the field: a
// comment above several fields says what each is.
func about(name, text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if _, rest, found := strings.Cut(text, ". "+name+" "); found {
		return name + " " + rest
	}
	return text
}

// Sentence makes one line of a comment: the first sentence, with a capital and
// without the full stop.
func Sentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for i := range len(text) - 2 {
		if text[i] == '.' && text[i+1] == ' ' && unicode.IsUpper(rune(text[i+2])) {
			text = text[:i]
			break
		}
	}
	text = strings.NewReplacer("[", "", "]", "").Replace(strings.TrimSuffix(text, "."))
	r, n := utf8.DecodeRuneInString(text)
	if n == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + text[n:]
}
