package loader

import (
	"encoding/binary"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
)

const (
	// pageBytes is the size of a data page before compression. What repeats is found within a page only, and no farther
	// back than 4 MiB at zstd's fastest level: parts are 12 % smaller than with pages of 1 MiB, and cost the same.
	pageBytes = 4 << 20
	// fixedBytes is what a value that is not text counts as.
	fixedBytes = 8
)

// span is a run of rows of one array.
type span struct {
	arr      arrow.Array
	from, to int
}

// valid returns how many of the rows are not NULL.
func (s span) valid() int {
	if s.arr.NullN() == 0 {
		return s.to - s.from
	}
	return bitutil.CountSetBits(s.arr.NullBitmapBytes(), s.arr.Data().Offset()+s.from, s.to-s.from)
}

// column writes the pages of a column, of numbers if dictionary says that [encoder.dict] holds it. One that cannot be NULL
// has no levels.
func (e *encoder) column(pages file.PageWriter, chunks []arrow.Array, nullable, dictionary bool, props *parquet.WriterProperties) error {
	encoding, indices := parquet.Encodings.Plain, e.dict.indices
	if dictionary {
		encoding = props.DictionaryIndexEncoding()
		page := file.NewDictionaryPage(memory.NewBufferBytes(e.dict.page), int32(len(e.dict.entries)), props.DictionaryPageEncoding())
		_, err := pages.WriteDictionaryPage(page)
		page.Release()
		if err != nil {
			return err
		}
	}
	for at := (place{}); ; {
		e.spans = at.page(e.spans[:0], chunks, dictionary)
		rows, valid := 0, 0
		for _, s := range e.spans {
			rows, valid = rows+s.to-s.from, valid+s.valid()
		}
		if rows == 0 {
			return nil
		}
		e.page = e.page[:0]
		if nullable {
			e.page = appendLevels(e.page, e.spans, rows, valid)
		}
		if dictionary {
			e.page = e.dict.appendIndices(e.page, indices[:valid])
			indices = indices[valid:]
		} else {
			e.page = appendPlain(e.page, e.spans)
		}
		if err := e.writePage(pages, rows, encoding); err != nil {
			return err
		}
	}
}

func (e *encoder) writePage(pages file.PageWriter, rows int, encoding parquet.Encoding) error {
	if bound := int(e.codec.CompressBound(int64(len(e.page)))); bound > cap(e.packed) {
		e.packed = make([]byte, bound)
	}
	packed := e.codec.EncodeLevel(e.packed[:cap(e.packed)], e.page, zstdLevel)
	page := file.NewDataPageV1(memory.NewBufferBytes(packed), int32(rows), encoding, parquet.Encodings.RLE, parquet.Encodings.RLE, int32(len(e.page)))
	defer page.Release()
	_, err := pages.WriteDataPage(page)
	return err
}

// place is where in the chunks of a column the next page starts.
type place struct{ chunk, row int }

// page appends the rows of the next page to spans: as many as fit, but at least one. Where a page ends depends on the
// rows only, not on how they are cut into chunks.
func (p *place) page(spans []span, chunks []arrow.Array, dictionary bool) []span {
	for room := pageBytes; p.chunk < len(chunks); {
		arr := chunks[p.chunk]
		n, size := fitting(arr, p.row, room, dictionary)
		if n == 0 && len(spans) == 0 && p.row < arr.Len() {
			n, size = 1, room
		}
		if n > 0 {
			spans = append(spans, span{arr, p.row, p.row + n})
		}
		p.row, room = p.row+n, room-size
		if p.row < arr.Len() {
			return spans
		}
		p.chunk, p.row = p.chunk+1, 0
	}
	return spans
}

// fitting returns how many rows from a row on fit into room, and the size they count as.
func fitting(arr arrow.Array, from, room int, dictionary bool) (n, size int) {
	rest := arr.Len() - from
	t, ok := arr.(texts)
	if !ok || dictionary {
		n = max(0, min(rest, room/fixedBytes))
		return n, n * fixedBytes
	}
	offsets := t.ValueOffsets()
	taking := func(n int) int { return lengthBytes*n + int(offsets[from+n]-offsets[from]) }
	n = sort.Search(rest, func(i int) bool { return taking(i+1) > room })
	return n, taking(n)
}

// appendLevels appends the definition levels: whether each row has a value, which is what Arrow's bitmap says.
func appendLevels(dst []byte, spans []span, rows, valid int) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	switch valid {
	case 0:
		dst = appendRun(dst, rows, 0, 1)
	case rows:
		dst = appendRun(dst, rows, 1, 1)
	default:
		groups := (rows + 7) / 8
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		bits := len(dst)
		dst = append(dst, make([]byte, groups)...)
		at := 0
		for _, s := range spans {
			if n := s.to - s.from; s.arr.NullN() == 0 {
				bitutil.SetBitsTo(dst[bits:], int64(at), int64(n), true)
			} else {
				bitutil.CopyBitmap(s.arr.NullBitmapBytes(), s.arr.Data().Offset()+s.from, n, dst[bits:], at)
			}
			at += s.to - s.from
		}
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}
