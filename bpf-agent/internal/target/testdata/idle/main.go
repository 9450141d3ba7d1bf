// The program that tests watch when there is to be nothing to see: it serves
// nobody, and ends with its standard input.
package main

import "os"

func main() {
	for read := make([]byte, 1); ; {
		if _, err := os.Stdin.Read(read); err != nil {
			return
		}
	}
}
