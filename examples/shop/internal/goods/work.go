package goods

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"text/template"
)

var mail = template.Must(template.New("mail").Parse(
	"Dear {{.Customer}},\n\nyour order {{.Key}} of {{.Quantity}} pieces of number {{.Product}} is on its way.\n"))

// Mail writes the mail that confirms an order, in one call of w.
func Mail(w io.Writer, o Order) error {
	var b bytes.Buffer
	_ = mail.Execute(&b, o) // a Buffer takes all
	_, err := w.Write(b.Bytes())
	return err
}

// Thumbnail draws a picture of a product and makes it small: some hundred
// microseconds of CPU.
func Thumbnail(product int64) ([]byte, error) {
	const large, small = 256, 32
	src := image.NewRGBA(image.Rect(0, 0, large, large))
	for y := range large {
		for x := range large {
			src.SetRGBA(x, y, color.RGBA{uint8(x), uint8(y), uint8(product), 255})
		}
	}
	dst := image.NewRGBA(image.Rect(0, 0, small, small))
	for y := range small {
		for x := range small {
			dst.SetRGBA(x, y, src.RGBAAt(x*large/small, y*large/small))
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, dst)
	return b.Bytes(), err
}
