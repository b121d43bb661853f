// What go/parser makes of files, to compare with our parser.
//
// Reads paths from standard input, one a line, and writes for each a line with a hash of its tree,
// or "-" if go/parser finds errors in it. With -tree and a path it writes that file's tree.
//
// Each line of a tree is a node: its depth, its kind, what belongs to it, and its bytes. The Rust
// side is tests/it/tree.rs. Left out on both sides: empty statements in lists, and the ends of
// comments in files with carriage returns, which go/parser takes out of a comment's text. Long rows
// of operators are joined as our parser joins them: see flattened.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/fnv"
	"os"
	"strings"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	if len(os.Args) == 3 && os.Args[1] == "-tree" {
		tree, err := treeOf(os.Args[2])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out.Write(tree)
		return
	}
	paths := bufio.NewScanner(os.Stdin)
	for paths.Scan() {
		tree, err := treeOf(paths.Text())
		if err != nil {
			fmt.Fprintln(out, "-")
			continue
		}
		hash := fnv.New64a()
		hash.Write(tree)
		fmt.Fprintf(out, "%016x\n", hash.Sum64())
	}
}

type dumper struct {
	out   bytes.Buffer
	base  int
	depth int
	// made are the parts of rows that have been flattened.
	made map[*ast.BinaryExpr]bool
}

func treeOf(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	d := &dumper{base: files.File(file.Package).Base(), made: map[*ast.BinaryExpr]bool{}}
	d.file(file, bytes.IndexByte(text, '\r') < 0)
	return d.out.Bytes(), nil
}

func (d *dumper) at(pos token.Pos) int { return int(pos) - d.base }

func (d *dumper) span(from, to token.Pos) string {
	return fmt.Sprintf("%d-%d", d.at(from), d.at(to))
}

func (d *dumper) line(from, to token.Pos, format string, arguments ...any) {
	fmt.Fprintf(&d.out, "%d ", d.depth)
	fmt.Fprintf(&d.out, format, arguments...)
	fmt.Fprintf(&d.out, " %d-%d\n", d.at(from), d.at(to))
}

func (d *dumper) name(ident *ast.Ident) string {
	if ident == nil {
		return "_@_"
	}
	return fmt.Sprintf("%s@%d", ident.Name, d.at(ident.Pos()))
}

func (d *dumper) names(idents []*ast.Ident) string {
	var all []string
	for _, ident := range idents {
		all = append(all, d.name(ident))
	}
	return "[" + strings.Join(all, ",") + "]"
}

func (d *dumper) parameterNames(list *ast.FieldList) string {
	all := "("
	if list != nil {
		for _, field := range list.List {
			all += d.names(field.Names)
		}
	}
	return all + ")"
}

func (d *dumper) parameterTypes(list *ast.FieldList) {
	if list != nil {
		for _, field := range list.List {
			d.expr(field.Type)
		}
	}
}

func (d *dumper) signatureNames(f *ast.FuncType) string {
	end := f.Params.End()
	if f.Results != nil {
		end = f.Results.End()
	}
	return d.parameterNames(f.Params) + d.parameterNames(f.Results) + d.span(f.Params.Opening, end)
}

func (d *dumper) signatureTypes(f *ast.FuncType) {
	d.parameterTypes(f.Params)
	d.parameterTypes(f.Results)
}

func is(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func (d *dumper) file(file *ast.File, endsOfComments bool) {
	d.line(file.Name.Pos(), file.Name.End(), "File %s", file.Name.Name)
	for _, spec := range file.Imports {
		alias := "-"
		if spec.Name != nil {
			alias = d.name(spec.Name)
		}
		path := strings.Trim(spec.Path.Value, "\"`")
		d.line(spec.Pos(), spec.End(), "Import %s %s", alias, path)
	}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			end := comment.Pos()
			if endsOfComments {
				end = comment.End()
			}
			d.line(comment.Pos(), end, "Comment")
		}
	}
	for _, decl := range file.Decls {
		d.decl(decl)
	}
}

func (d *dumper) decl(decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		body := "-"
		if decl.Body != nil {
			body = d.span(decl.Body.Pos(), decl.Body.End())
		}
		d.line(decl.Pos(), decl.End(), "Function %s %s%s%s %s", d.name(decl.Name),
			d.parameterNames(decl.Recv), d.parameterNames(decl.Type.TypeParams),
			d.signatureNames(decl.Type), body)
		d.parameterTypes(decl.Recv)
		d.parameterTypes(decl.Type.TypeParams)
		d.signatureTypes(decl.Type)
		if decl.Body != nil {
			d.stmts(decl.Body.List)
		}
	case *ast.GenDecl:
		if decl.Tok == token.IMPORT {
			return
		}
		all := ""
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				all += fmt.Sprintf("{%s %d %d %s}", d.names(spec.Names), is(spec.Type != nil),
					len(spec.Values), d.span(spec.Pos(), spec.End()))
			case *ast.TypeSpec:
				all += fmt.Sprintf("{%s %s %d %s}", d.name(spec.Name), d.parameterNames(spec.TypeParams),
					is(spec.Assign.IsValid()), d.span(spec.Pos(), spec.End()))
			}
		}
		d.line(decl.Pos(), decl.End(), "%s %s", decl.Tok, all)
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				d.expr(spec.Type)
				d.exprs(spec.Values)
			case *ast.TypeSpec:
				d.parameterTypes(spec.TypeParams)
				d.expr(spec.Type)
			}
		}
	}
}

func isEmpty(stmt ast.Stmt) bool {
	_, empty := stmt.(*ast.EmptyStmt)
	return empty
}

func count(stmts []ast.Stmt) (n int) {
	for _, stmt := range stmts {
		if !isEmpty(stmt) {
			n++
		}
	}
	return n
}

func (d *dumper) stmts(stmts []ast.Stmt) {
	for _, stmt := range stmts {
		if !isEmpty(stmt) {
			d.stmt(stmt)
		}
	}
}

func (d *dumper) block(block *ast.BlockStmt) string {
	return fmt.Sprintf("{%d %s}", count(block.List), d.span(block.Pos(), block.End()))
}

// clause is a case without its statements.
func (d *dumper) clause(what string, from, colon token.Pos, body []ast.Stmt) string {
	end := colon + 1
	for _, stmt := range body {
		if !isEmpty(stmt) {
			end = stmt.End()
		}
	}
	return fmt.Sprintf("{%s %d %s}", what, count(body), d.span(from, end))
}
