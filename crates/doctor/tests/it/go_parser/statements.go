package main

import (
	"fmt"
	"go/ast"
	"go/token"
)

func (d *dumper) stmt(stmt ast.Stmt) {
	if stmt == nil {
		return
	}
	from, to := stmt.Pos(), stmt.End()
	line := func(format string, arguments ...any) { d.line(from, to, format, arguments...) }
	defer func() { d.depth-- }()
	switch stmt := stmt.(type) {
	case *ast.EmptyStmt:
		line("Empty")
		d.depth++
	case *ast.ExprStmt:
		line("Expression")
		d.depth++
		d.expr(stmt.X)
	case *ast.SendStmt:
		line("Send")
		d.depth++
		d.expr(stmt.Chan)
		d.expr(stmt.Value)
	case *ast.IncDecStmt:
		line("IncrementDecrement %s", stmt.Tok)
		d.depth++
		d.expr(stmt.X)
	case *ast.AssignStmt:
		line("Assign %s@%d %d", stmt.Tok, d.at(stmt.TokPos), len(stmt.Lhs))
		d.depth++
		d.exprs(stmt.Lhs)
		d.exprs(stmt.Rhs)
	case *ast.GoStmt:
		line("Go")
		d.depth++
		d.expr(stmt.Call)
	case *ast.DeferStmt:
		line("Defer")
		d.depth++
		d.expr(stmt.Call)
	case *ast.ReturnStmt:
		line("Return")
		d.depth++
		d.exprs(stmt.Results)
	case *ast.BranchStmt:
		line("Branch %s %s", stmt.Tok, d.name(stmt.Label))
		d.depth++
	case *ast.BlockStmt:
		line("Block %s", d.block(stmt))
		d.depth++
		d.stmts(stmt.List)
	case *ast.LabeledStmt:
		line("Labeled %s", d.name(stmt.Label))
		d.depth++
		d.stmt(stmt.Stmt)
	case *ast.DeclStmt:
		line("Declaration")
		d.depth++
		d.decl(stmt.Decl)
	case *ast.IfStmt:
		line("If %d %s %d", is(stmt.Init != nil), d.block(stmt.Body), is(stmt.Else != nil))
		d.depth++
		d.stmt(stmt.Init)
		d.expr(stmt.Cond)
		d.stmts(stmt.Body.List)
		d.stmt(stmt.Else)
	case *ast.ForStmt:
		line("For %d%d%d %s", is(stmt.Init != nil), is(stmt.Cond != nil), is(stmt.Post != nil),
			d.block(stmt.Body))
		d.depth++
		d.stmt(stmt.Init)
		d.expr(stmt.Cond)
		d.stmt(stmt.Post)
		d.stmts(stmt.Body.List)
	case *ast.RangeStmt:
		line("Range %d%d%d %s", is(stmt.Key != nil), is(stmt.Value != nil), is(stmt.Tok == token.DEFINE),
			d.block(stmt.Body))
		d.depth++
		d.expr(stmt.Key)
		d.expr(stmt.Value)
		d.expr(stmt.X)
		d.stmts(stmt.Body.List)
	case *ast.SwitchStmt:
		line("Switch 0 %d%d %s", is(stmt.Init != nil), is(stmt.Tag != nil), d.clauses(stmt.Body))
		d.depth++
		d.stmt(stmt.Init)
		if stmt.Tag != nil {
			d.stmt(&ast.ExprStmt{X: stmt.Tag})
		}
		d.cases(stmt.Body)
	case *ast.TypeSwitchStmt:
		line("Switch 1 %d1 %s", is(stmt.Init != nil), d.clauses(stmt.Body))
		d.depth++
		d.stmt(stmt.Init)
		d.stmt(stmt.Assign)
		d.cases(stmt.Body)
	case *ast.SelectStmt:
		line("Select %s", d.clauses(stmt.Body))
		d.depth++
		d.cases(stmt.Body)
	default:
		panic(fmt.Sprintf("%T", stmt))
	}
}

func (d *dumper) clauses(body *ast.BlockStmt) string {
	all := d.span(body.Pos(), body.End())
	for _, clause := range body.List {
		switch clause := clause.(type) {
		case *ast.CaseClause:
			what := "default"
			if clause.List != nil {
				what = fmt.Sprint(len(clause.List))
			}
			all += d.clause(what, clause.Case, clause.Colon, clause.Body)
		case *ast.CommClause:
			what := "default"
			if clause.Comm != nil {
				what = "1"
			}
			all += d.clause(what, clause.Case, clause.Colon, clause.Body)
		}
	}
	return all
}

func (d *dumper) cases(body *ast.BlockStmt) {
	for _, clause := range body.List {
		switch clause := clause.(type) {
		case *ast.CaseClause:
			d.exprs(clause.List)
			d.stmts(clause.Body)
		case *ast.CommClause:
			d.stmt(clause.Comm)
			d.stmts(clause.Body)
		}
	}
}
