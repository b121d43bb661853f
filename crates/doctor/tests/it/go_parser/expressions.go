package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
)

var literals = map[token.Token]string{
	token.INT: "Integer", token.FLOAT: "Float", token.IMAG: "Imaginary", token.CHAR: "Rune", token.STRING: "String",
}

func (d *dumper) exprs(exprs []ast.Expr) {
	for _, expr := range exprs {
		d.expr(expr)
	}
}

func (d *dumper) expr(expr ast.Expr) {
	if expr == nil {
		return
	}
	from, to := expr.Pos(), expr.End()
	line := func(format string, arguments ...any) { d.line(from, to, format, arguments...) }
	defer func() { d.depth-- }()
	switch expr := expr.(type) {
	case *ast.Ident:
		line("Identifier %s", expr.Name)
		d.depth++
	case *ast.BasicLit:
		line("Literal %s", literals[expr.Kind])
		d.depth++
	case *ast.CompositeLit:
		line("Composite %d %d", is(expr.Type != nil), len(expr.Elts))
		d.depth++
		d.expr(expr.Type)
		d.exprs(expr.Elts)
	case *ast.KeyValueExpr:
		line("KeyValue")
		d.depth++
		d.expr(expr.Key)
		d.expr(expr.Value)
	case *ast.FuncLit:
		line("FunctionLiteral %s %s", d.signatureNames(expr.Type), d.block(expr.Body))
		d.depth++
		d.signatureTypes(expr.Type)
		d.stmts(expr.Body.List)
	case *ast.ParenExpr:
		line("Parenthesized")
		d.depth++
		d.expr(expr.X)
	case *ast.SelectorExpr:
		line("Selector %s", d.name(expr.Sel))
		d.depth++
		d.expr(expr.X)
	case *ast.IndexExpr:
		line("Index 1")
		d.depth++
		d.expr(expr.X)
		d.expr(expr.Index)
	case *ast.IndexListExpr:
		line("Index %d", len(expr.Indices))
		d.depth++
		d.expr(expr.X)
		d.exprs(expr.Indices)
	case *ast.SliceExpr:
		line("Slice %d%d%d", is(expr.Low != nil), is(expr.High != nil), is(expr.Max != nil))
		d.depth++
		d.expr(expr.X)
		d.expr(expr.Low)
		d.expr(expr.High)
		d.expr(expr.Max)
	case *ast.TypeAssertExpr:
		line("TypeAssertion %d", is(expr.Type != nil))
		d.depth++
		d.expr(expr.X)
		d.expr(expr.Type)
	case *ast.CallExpr:
		line("Call %d %d %s", len(expr.Args), is(expr.Ellipsis.IsValid()), d.span(expr.Lparen, expr.Rparen+1))
		d.depth++
		d.expr(expr.Fun)
		d.exprs(expr.Args)
	case *ast.StarExpr:
		line("Star")
		d.depth++
		d.expr(expr.X)
	case *ast.UnaryExpr:
		line("Unary %s", expr.Op)
		d.depth++
		d.expr(expr.X)
	case *ast.BinaryExpr:
		expr = d.flattened(expr)
		line("Binary %s", expr.Op)
		d.depth++
		d.expr(expr.X)
		d.expr(expr.Y)
	default:
		d.typeExpr(expr, line)
	}
}

func (d *dumper) typeExpr(expr ast.Expr, line func(string, ...any)) {
	switch expr := expr.(type) {
	case *ast.Ellipsis:
		line("Ellipsis")
		d.depth++
		d.expr(expr.Elt)
	case *ast.ArrayType:
		line("Array %d", is(expr.Len != nil))
		d.depth++
		d.expr(expr.Len)
		d.expr(expr.Elt)
	case *ast.StructType:
		fields := ""
		for _, field := range expr.Fields.List {
			tag := "-"
			if field.Tag != nil {
				tag = d.span(field.Tag.Pos(), field.Tag.End())
			}
			fields += fmt.Sprintf("{%s %s %s}", d.names(field.Names), tag, d.span(field.Pos(), field.End()))
		}
		line("Struct %s", fields)
		d.depth++
		d.parameterTypes(expr.Fields)
	case *ast.FuncType:
		line("FunctionType %s", d.signatureNames(expr))
		d.depth++
		d.signatureTypes(expr)
	case *ast.InterfaceType:
		elements := ""
		for _, field := range expr.Methods.List {
			if method, ok := field.Type.(*ast.FuncType); ok && len(field.Names) == 1 {
				elements += fmt.Sprintf("{%s %s}", d.name(field.Names[0]), d.signatureNames(method))
			} else {
				elements += "{}"
			}
		}
		line("Interface %s", elements)
		d.depth++
		for _, field := range expr.Methods.List {
			if method, ok := field.Type.(*ast.FuncType); ok && len(field.Names) == 1 {
				d.signatureTypes(method)
			} else {
				d.expr(field.Type)
			}
		}
	case *ast.MapType:
		line("Map")
		d.depth++
		d.expr(expr.Key)
		d.expr(expr.Value)
	case *ast.ChanType:
		line("Channel %d", expr.Dir)
		d.depth++
		d.expr(expr.Value)
	default:
		panic(fmt.Sprintf("%T", expr))
	}
}

// maxRow is MAX_ROW of our parser.
const maxRow = 200

// flattened is a row of operators as our parser has it: from the maxRow-th operator on, neighbours of
// one precedence are joined in pairs, the pairs in pairs, and so on.
func (d *dumper) flattened(whole *ast.BinaryExpr) *ast.BinaryExpr {
	if d.made[whole] {
		return whole
	}
	var row []*ast.BinaryExpr
	var first ast.Expr = whole
	for {
		binary, ok := first.(*ast.BinaryExpr)
		if !ok {
			break
		}
		row = append(row, binary)
		first = binary.X
	}
	slices.Reverse(row)
	if len(row) <= maxRow {
		return whole
	}
	left := ast.Expr(row[maxRow-1])
	for rest := row[maxRow:]; len(rest) > 0; {
		precedence := rest[0].Op.Precedence()
		operands, operators := []ast.Expr{left}, []token.Token{token.ILLEGAL}
		for len(rest) > 0 && rest[0].Op.Precedence() == precedence {
			operands, operators = append(operands, rest[0].Y), append(operators, rest[0].Op)
			rest = rest[1:]
		}
		for len(operands) > 1 {
			var halved []ast.Expr
			var before []token.Token
			for i := 0; i < len(operands); i += 2 {
				one := operands[i]
				if i+1 < len(operands) {
					joined := &ast.BinaryExpr{X: one, Op: operators[i+1], Y: operands[i+1]}
					d.made[joined] = true
					one = joined
				}
				halved, before = append(halved, one), append(before, operators[i])
			}
			operands, operators = halved, before
		}
		left = operands[0]
	}
	for _, binary := range row {
		d.made[binary] = true
	}
	return left.(*ast.BinaryExpr)
}
